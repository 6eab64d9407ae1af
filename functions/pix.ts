/** Lambda handler of the polls of collectors (serverless.yml): the API's, in a function that the broker does not limit. */
export { handler } from './api.js';
