export * from './chunk.js';
export * from './configuration.js';
export * from './environment.js';
export * from './messages.js';
export * from './refusal.js';
export * from './statements.js';
export * from './topology.js';
export * from './url-options.js';
