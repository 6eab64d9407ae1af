import { billing } from './billing.js';
import { campaigns } from './campaigns.js';
import { cleaning } from './cleaning.js';
import { companies } from './companies.js';
import { contacts } from './contacts.js';
import { events } from './events.js';
import { files } from './files.js';
import { operating } from './operating.js';
import { pix } from './pix.js';
import { repeating } from './repeating.js';
import { steering } from './steering.js';
import type { Folder } from './step.js';
import { strangers } from './strangers.js';
import { uploads } from './uploads.js';
import { users } from './users.js';
import { webhooks } from './webhooks.js';

/** The whole collection, in the order of use. `numbers` is the text of postman/numeros.txt. */
export function folders(numbers: string): Folder[] {
  return [
    operating,
    users,
    companies,
    campaigns,
    files,
    repeating,
    steering,
    uploads(numbers),
    strangers,
    events,
    webhooks,
    pix,
    billing,
    cleaning,
    contacts,
  ];
}
