/** The form of a client's id and of a type's name, on the queue and over HTTP. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
