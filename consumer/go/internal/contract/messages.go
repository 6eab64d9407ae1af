package contract

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	files "disparo/contract"
)

// Messages is the collection of all messages. Its only index is _id: a second one costs half the speed or more.
const Messages = "messages"

const (
	// noMessage is an _id that no document has.
	noMessage       = ""
	unauthorized    = 13
	namespaceExists = 48
)

// messagesWriteConcern makes a document count as stored only when it survives the death of mongod, whatever the URL says.
func messagesWriteConcern() *writeconcern.WriteConcern {
	journal := true
	return &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}
}

// MessageID is the _id of a number's document: a number cannot be stored twice, and a campaign is one range, in order.
func MessageID(campaignID string, sequence int32) string {
	return fmt.Sprintf("%s:%09d", campaignID, sequence)
}

// messageRange is the filter of the _id that holds a campaign's documents.
func messageRange(campaignID string) bson.D {
	// ';' follows ':' in ASCII, so it ends the range of this campaign and of no other.
	return bson.D{{Key: "$gt", Value: MessageID(campaignID, 0)}, {Key: "$lt", Value: campaignID + ";"}}
}

var databaseInURL = regexp.MustCompile(`^[^:]+://[^/]+/([^?]+)`)

// MessagesDatabase is the database in a MongoDB URL, or `disparo`. Returns ErrUnusableURL for a name that no server takes.
func MessagesDatabase(mongodbURL string) (string, error) {
	found := databaseInURL.FindStringSubmatch(mongodbURL)
	if found == nil {
		return "disparo", nil
	}
	name, err := url.PathUnescape(found[1])
	if err != nil || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\. \"$\x00") {
		return "", ErrUnusableURL
	}
	return name, nil
}

// DeclareMessages creates the collection with its validator, or brings the validator of an existing one up to date. It fails
// for a user who may not write: the first batch would show it too late.
func DeclareMessages(ctx context.Context, database *mongo.Database) error {
	if err := createMessages(ctx, database); err != nil {
		return err
	}
	messages := database.Collection(Messages, options.Collection().SetWriteConcern(messagesWriteConcern()))
	change := bson.D{{Key: "$set", Value: bson.D{{Key: "deleted", Value: true}}}}
	_, err := messages.UpdateOne(ctx, bson.D{{Key: "_id", Value: noMessage}}, change)
	return err
}

func createMessages(ctx context.Context, database *mongo.Database) error {
	var validator bson.D
	if err := bson.UnmarshalExtJSON(files.MessagesValidatorJSON, false, &validator); err != nil {
		return err
	}
	err := database.CreateCollection(ctx, Messages, options.CreateCollection().SetValidator(validator))
	var refused mongo.CommandError
	if errors.As(err, &refused) && refused.Code == namespaceExists {
		command := bson.D{{Key: "collMod", Value: Messages}, {Key: "validator", Value: validator}}
		err = database.RunCommand(ctx, command).Err()
		if errors.As(err, &refused) && refused.Code == unauthorized {
			// MongoDB's role readWrite may create a collection but not change one: for that user the present validator
			// stays.
			return nil
		}
	}
	return err
}

// MarkMessagesDeleted marks all stored documents of a deleted campaign. Safe to repeat.
func MarkMessagesDeleted(ctx context.Context, database *mongo.Database, campaignID string) error {
	messages := database.Collection(Messages, options.Collection().SetWriteConcern(messagesWriteConcern()))
	filter := bson.D{{Key: "_id", Value: messageRange(campaignID)}, {Key: "deleted", Value: false}}
	change := bson.D{{Key: "$set", Value: bson.D{
		{Key: "deleted", Value: true},
		{Key: "updated_at", Value: bson.NewDateTimeFromTime(time.Now())},
	}}}
	_, err := messages.UpdateMany(ctx, filter, change)
	return err
}
