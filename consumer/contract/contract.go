// Package contract hands the files of this folder to Go programs as they stand, embedded when they are built.
package contract

import _ "embed"

// TopologyJSON is topology.json: names and arguments of exchanges and queues.
//
//go:embed topology.json
var TopologyJSON []byte

// EventsTopologyJSON is events-topology.json: the exchange and the queue of events.
//
//go:embed events-topology.json
var EventsTopologyJSON []byte

// ChunkSchemaJSON is campaign-chunk.v1.schema.json: the body of a queue message.
//
//go:embed campaign-chunk.v1.schema.json
var ChunkSchemaJSON []byte

// MessagesValidatorJSON is messages.validator.json: what a stored document looks like.
//
//go:embed messages.validator.json
var MessagesValidatorJSON []byte

// AdmitSQL is admit.sql: step 3.
//
//go:embed admit.sql
var AdmitSQL string

// RecordStoredSQL is record-stored.sql: step 5.
//
//go:embed record-stored.sql
var RecordStoredSQL string

// RefusalsJSON is refusals.json: what is said of a refusal, by service and code.
//
//go:embed refusals.json
var RefusalsJSON []byte

// URLOptionsJSON is url-options.json: the options that a URL of MongoDB or RabbitMQ may have.
//
//go:embed url-options.json
var URLOptionsJSON []byte
