/** Host, port and path of a URL, without user, password and options. */
export function place(url = ''): string {
  return url.replace(/^[a-z+]+:\/\/(?:.*@)?/, '').replace(/\?.*$/, '');
}

/** The URL of another database on the same PostgreSQL or MongoDB. The user is still authenticated where it was made. */
export function inDatabase(url: string, name: string): string {
  const [, server = '', database = '', query = ''] = /^([^:]+:\/\/[^/?]+)\/?([^?]*)\??(.*)$/.exec(url) ?? [];
  const isMongo = server.startsWith('mongodb') && server.includes('@') && !/authSource=/.test(query);
  const options = [query, isMongo ? `authSource=${database || 'admin'}` : ''].filter(Boolean).join('&');
  return `${server}/${name}${options && `?${options}`}`;
}
