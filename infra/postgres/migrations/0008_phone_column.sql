-- Up Migration
-- Which column of a file has the numbers, as whoever uploads it says: its name, or its number from 1. And the reasons that a
-- line can be refused for since cells are read as people and spreadsheets write them.

ALTER TABLE uploads ADD COLUMN phone_column jsonb
  CHECK (jsonb_typeof(phone_column) IN ('string', 'number'));

ALTER TABLE campaign_rejects DROP CONSTRAINT campaign_rejects_reason_check;
ALTER TABLE campaign_rejects ADD CONSTRAINT campaign_rejects_reason_check CHECK (reason IN
  ('not_a_number', 'not_mobile', 'wrong_length', 'unknown_ddd', 'extra_digits', 'fraction', 'not_in_plan')) NOT VALID;
ALTER TABLE campaign_rejects VALIDATE CONSTRAINT campaign_rejects_reason_check;

-- Down Migration
ALTER TABLE campaign_rejects DROP CONSTRAINT campaign_rejects_reason_check;
UPDATE campaign_rejects SET reason = 'not_a_number' WHERE reason IN ('extra_digits', 'fraction', 'not_in_plan');
ALTER TABLE campaign_rejects ADD CONSTRAINT campaign_rejects_reason_check CHECK (reason IN
  ('not_a_number', 'not_mobile', 'wrong_length', 'unknown_ddd'));
ALTER TABLE uploads DROP COLUMN phone_column;
