/** Host, port and path of a URL: what is left of it when user, password and options are taken away. */
export function place(url = ''): string {
  return url.replace(/^[a-z+]+:\/\/(?:.*@)?/, '').replace(/\?.*$/, '');
}

/** The URL of another database of the same server, PostgreSQL's or MongoDB's; the user stays the one of where it was made. */
export function inDatabase(url: string, name: string): string {
  const [, server = '', database = '', query = ''] = /^([^:]+:\/\/[^/?]+)\/?([^?]*)\??(.*)$/.exec(url) ?? [];
  const isMongo = server.startsWith('mongodb') && server.includes('@') && !/authSource=/.test(query);
  const options = [query, isMongo ? `authSource=${database || 'admin'}` : ''].filter(Boolean).join('&');
  return `${server}/${name}${options && `?${options}`}`;
}
