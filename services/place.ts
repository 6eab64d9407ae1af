/** Host, port and path of a URL: what is left of it when user, password and options are taken away. */
export function place(url = ''): string {
  return url.replace(/^[a-z+]+:\/\/(?:.*@)?/, '').replace(/\?.*$/, '');
}
