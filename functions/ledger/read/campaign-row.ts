/** The status in Portuguese words, the same in SQL, JSON, metrics and Postman. Computed by PostgreSQL (R1). */
export const CAMPAIGN_STATUSES = ['pendente', 'enfileirado', 'enviando', 'enviado', 'pausado', 'cancelado'] as const;
export type CampaignStatus = (typeof CAMPAIGN_STATUSES)[number];

/** A campaign as answers show it. */
export interface CampaignView {
  id: string;
  name: string;
  message: string;
  company_id: string;
  user_id: string;
  status: CampaignStatus;
  total: number;
  published: number;
  stored: number;
  percent: number;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

/** One campaign of the ledger: what answers show, and what only its use cases need. */
export interface CampaignRow extends CampaignView {
  paused: boolean;
  cancelled: boolean;
  /** Its numbers are being erased, or are gone. */
  erased: boolean;
  /** Invalid lines of its file that were counted only. */
  rejects_not_kept: number;
}

/** A campaign as every answer shows it, without the other fields of its row. */
export function viewOf(row: CampaignRow): CampaignView {
  const { paused: _p, cancelled: _c, erased: _e, rejects_not_kept: _r, ...view } = row;
  return view;
}

/** The columns of a CampaignView. */
export const VIEW_COLUMNS = `id, name, message, company_id, user_id, status, total, published, stored,
  floor(100.0 * stored / total)::int AS percent, created_at, updated_at, deleted`;
/** The tenant: campaigns, not deleted, of the companies of user $1. */
export const OF_USER = 'NOT deleted AND company_id IN (SELECT company_id FROM living_memberships WHERE user_id = $1)';
