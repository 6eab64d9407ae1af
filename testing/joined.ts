import { connect, type Socket } from 'node:net';

/**
 * Connects `near` with a service and hands the bytes on, both ways; a side that closes takes the other one with it. Both are
 * in `open` for as long as they are, so that whoever stands between can cut them.
 */
export function joinWith(service: URL, defaultPort: number, near: Socket, open: Set<Socket>): void {
  const far = connect(Number(service.port) || defaultPort, service.hostname);
  for (const [socket, other] of [
    [near, far],
    [far, near],
  ] as const) {
    open.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      other.destroy();
    });
    socket.pipe(other);
  }
}
