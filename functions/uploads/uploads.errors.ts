import { Problem } from '../platform/problem.js';

/** No such upload, a deleted one, or another company's. */
export class UploadNotFound extends Problem {
  constructor() {
    super(404, 'UPLOAD.NOT_FOUND', 'There is no such upload.');
  }
}

/** This installation has no object store. No Retry-After: waiting changes nothing. */
export class UploadsNotConfigured extends Problem {
  constructor() {
    super(
      503,
      'UPLOAD.NOT_CONFIGURED',
      'There is no object store here: UPLOAD_BUCKET is not set. Send the file to POST /api/campaigns.',
    );
  }
}

/** The object is not as large as the upload said. */
export class SizeMismatch extends Problem {
  static readonly sample = (): Problem => new SizeMismatch(75, 74);

  constructor(size: number, received: number) {
    super(400, 'UPLOAD.SIZE_MISMATCH', `The file has ${received} bytes, and the upload said ${size}.`);
  }
}

/** The URL is over and no file has come by it. */
export class UploadExpired extends Problem {
  constructor() {
    super(410, 'UPLOAD.EXPIRED', 'No file came before the URL expired. Ask for a new one.');
  }
}

/** More than one file came by the URL of an accepted upload. The others changed nothing. */
export class UploadUsedTwice extends Problem {
  constructor() {
    super(
      409,
      'UPLOAD.USED_TWICE',
      'The URL was used more than once. One file was accepted, the others were thrown away. Ask for a URL a file.',
    );
  }
}

/** Every process that read the file was gone before its end. */
export class UploadUnreadable extends Problem {
  static readonly sample = (): Problem => new UploadUnreadable(5);

  constructor(attempts: number) {
    super(500, 'UPLOAD.UNREADABLE', `The file came and could not be read to its end in ${attempts} tries.`);
  }
}
