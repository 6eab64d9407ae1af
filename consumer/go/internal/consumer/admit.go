package consumer

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	files "disparo/contract"

	"disparo/consumer/internal/contract"
)

// Verdict is what steps 2 and 3 say of a delivery: As, or why it is a dead letter.
type Verdict struct {
	As   As
	Dead DeadReason
}

// As says what a delivery that is no dead letter is counted as.
type As string

// Owed goes on to step 4; Repeated was stored before; LetGo belongs to a campaign that does not run; Stored is set only
// after step 5.
const (
	Owed     As = "owed"
	Repeated As = "repeated"
	LetGo    As = "let_go"
	Stored   As = "stored"
)

// Admission is step 3 for a whole batch.
type Admission struct {
	verdicts map[*Delivery]Verdict
	// owed has each chunk once, in the order of the queue.
	owed []*Delivery
}

// AdmitRow is a row of admit.sql.
type AdmitRow struct {
	contract.Key
	CampaignKnown bool
	// Size is nil when the ledger does not know the chunk.
	Size *int32
	// Running: not deleted, not paused, not cancelled.
	Running bool
	Stored  bool
}

// admit is step 3. It asks the ledger for the distinct chunks of the batch: one read.
func admit(ctx context.Context, postgres *pgxpool.Pool, chunks []*Delivery) (Admission, error) {
	asked := map[contract.Key]bool{}
	var ids []string
	var sequences []int32
	for _, delivery := range chunks {
		if key := delivery.chunk.Key(); !asked[key] {
			asked[key] = true
			ids, sequences = append(ids, key.CampaignID), append(sequences, key.FirstSequence)
		}
	}
	rows, err := postgres.Query(ctx, files.AdmitSQL, ids, sequences)
	if err != nil {
		return Admission{}, err
	}
	ledger, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (found AdmitRow, err error) {
		err = row.Scan(&found.CampaignID, &found.FirstSequence, &found.CampaignKnown, &found.Size, &found.Running, &found.Stored)
		return found, err
	})
	if err != nil {
		return Admission{}, err
	}
	return judge(chunks, ledger), nil
}

// judge returns the verdicts that the rows of the ledger give. Pure.
func judge(chunks []*Delivery, rows []AdmitRow) Admission {
	ledger := make(map[contract.Key]*AdmitRow, len(rows))
	for i := range rows {
		ledger[rows[i].Key] = &rows[i]
	}
	admission := Admission{verdicts: make(map[*Delivery]Verdict, len(chunks))}
	inBatch := map[contract.Key]bool{}
	for _, delivery := range chunks {
		key := delivery.chunk.Key()
		verdict := verdictOf(delivery.chunk, ledger[key], inBatch[key])
		admission.verdicts[delivery] = verdict
		if verdict.As == Owed {
			inBatch[key] = true
			admission.owed = append(admission.owed, delivery)
		}
	}
	return admission
}

// verdictOf checks in the order of the tables in consumer/README.md: when two rows fit, the upper one counts.
func verdictOf(chunk *contract.Chunk, row *AdmitRow, inBatch bool) Verdict {
	switch {
	case row == nil || !row.CampaignKnown:
		return Verdict{Dead: DeadReason{UnknownCampaign, "ledger /campaign_id"}}
	case row.Size == nil:
		return Verdict{Dead: DeadReason{UnknownChunk, "ledger /first_sequence"}}
	case int(*row.Size) != len(chunk.PhoneNumbers):
		return Verdict{Dead: DeadReason{UnknownChunk, "ledger /phone_numbers"}}
	case !row.Running:
		return Verdict{As: LetGo}
	case row.Stored || inBatch:
		return Verdict{As: Repeated}
	}
	return Verdict{As: Owed}
}
