import { Problem } from '../platform/problem.js';

/** No such upload, a deleted one, or another company's. */
export class UploadNotFound extends Problem {
  constructor() {
    super(404, 'UPLOAD.NOT_FOUND', 'there is no such upload');
  }
}

/** This installation has no object store. No Retry-After: waiting changes nothing. */
export class UploadsNotConfigured extends Problem {
  static readonly sample = (): Problem => new UploadsNotConfigured('POST /api/campaigns');

  /** @param smallFiles The route that takes a small file by itself. */
  constructor(smallFiles: string) {
    super(
      503,
      'UPLOAD.NOT_CONFIGURED',
      `there is no object store here: UPLOAD_BUCKET is not set; send the file to ${smallFiles}`,
    );
  }
}

/** The object is not as large as the upload said. */
export class SizeMismatch extends Problem {
  static readonly sample = (): Problem => new SizeMismatch(75, 74);

  constructor(size: number, received: number) {
    super(400, 'UPLOAD.SIZE_MISMATCH', `the file has ${received} bytes, and the upload said ${size}`);
  }
}

/** The URL has expired and no file has come by it. */
export class UploadExpired extends Problem {
  constructor() {
    super(410, 'UPLOAD.EXPIRED', 'no file came before the URL expired; ask for a new one');
  }
}

/** More than one file came by the URL of an accepted upload. The others changed nothing. */
export class UploadUsedTwice extends Problem {
  constructor() {
    super(
      409,
      'UPLOAD.USED_TWICE',
      'the URL was used more than once: one file was accepted, the others were thrown away; ask for a URL a file',
    );
  }
}

/** No process could read the file to its end. */
export class UploadUnreadable extends Problem {
  static readonly sample = (): Problem => new UploadUnreadable(5);

  constructor(attempts: number) {
    super(500, 'UPLOAD.UNREADABLE', `the file came and could not be read to its end in ${attempts} tries`);
  }
}
