package consumer

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	files "disparo/contract"

	"disparo/consumer/internal/contract"
)

// RecordRow is a row of record-stored.sql: a campaign whose counters moved.
type RecordRow struct {
	ID      string
	Status  string
	Total   int64
	Stored  int64
	Deleted bool
}

// record is step 5. It records chunks as stored. Returns the campaigns whose counters moved; none when a retry finds the
// chunks recorded.
func record(ctx context.Context, postgres *pgxpool.Pool, stored []*Delivery) ([]RecordRow, error) {
	ids := make([]string, len(stored))
	sequences := make([]int32, len(stored))
	for i, delivery := range stored {
		ids[i], sequences[i] = delivery.chunk.CampaignID, delivery.chunk.FirstSequence
	}
	rows, err := postgres.Query(ctx, files.RecordStoredSQL, ids, sequences)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[RecordRow])
}

// markDeleted is step 5, for campaigns that were deleted between steps 3 and 5: nothing else knows of the documents written
// since.
func markDeleted(ctx context.Context, stores *Stores, deleted []RecordRow) error {
	database, err := stores.mongo()
	if err != nil {
		return err
	}
	for _, campaign := range deleted {
		if err := contract.MarkMessagesDeleted(ctx, database, campaign.ID); err != nil {
			return err
		}
	}
	return nil
}
