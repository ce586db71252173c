// Package store is the contract of the durable record of events and
// deliveries: what stands between the sender's 2xx and the engine's outcome.
// Implementations live below it (sqlite) and pass the suite in storetest.
package store

import (
	"errors"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
)

var (
	// ErrFull: the disk is nearly full. Nothing was stored; try again later.
	ErrFull = errors.New("store: nearly full")
	// ErrBacklog: too many deliveries wait. Nothing was stored; try again later.
	ErrBacklog = errors.New("store: too many pending deliveries")
	// ErrConflict: the same id came before with another body. The newcomer is
	// kept as evidence and starts nothing.
	ErrConflict = errors.New("store: same id, other body")
	// ErrFailed: a commit failed before. Nothing is acknowledged any more; only
	// a restart, which recovers from disk, helps.
	ErrFailed = errors.New("store: failed, restart needed")
	// ErrNotFound: no such event, delivery or entry.
	ErrNotFound = errors.New("store: not found")
	// ErrState: the delivery's state does not allow that.
	ErrState = errors.New("store: not in that state")
)

// State is where a delivery stands.
type State uint8

// The states of a delivery. The first three are open.
const (
	Pending State = iota
	Running
	Waiting
	Succeeded
	Dead
	Discarded
	// Merged: its event runs as a part of another; see Delivery.Gather.
	Merged
)

var stateNames = [...]string{"pending", "running", "waiting", "succeeded", "dead", "discarded", "merged"}

func (s State) String() string { return stateNames[s] }

// Open tells whether the delivery may still run.
func (s State) Open() bool { return s <= Waiting }

// ParseState reads a state's name.
func ParseState(name string) (State, bool) {
	for i, n := range stateNames {
		if n == name {
			return State(i), true
		}
	}
	return 0, false
}

// Entry is one event with its deliveries, committed together or not at all.
type Entry struct {
	Event *event.Event
	// Keys are what makes a second sending of the same event recognisable
	// beside its identity, its source and id.
	Keys []Key
	// Digest identifies the body; see Key.
	Digest Digest
	// Revision of the configuration that routed the event.
	Revision string
	// Deliveries, one for each matching route. Append gives them their ids.
	Deliveries []*Delivery
	// Slot, when set, is remembered with the event: the schedule has fired it.
	Slot *Slot
}

// Digest is a truncated SHA-256.
type Digest [16]byte

// Key is a dedupe key: a digest of what names a sending (source and delivery
// id, or source and signature). The same key with the same body digest is a
// duplicate; with another one it is a conflict.
type Key Digest

// Receipt says what Append did.
type Receipt struct {
	// EventID and EventType of the stored event: for a duplicate, the first.
	EventID, EventType string
	// Deliveries that the event has.
	Deliveries int
	Duplicate  bool
}

// Slot is one firing of a schedule.
type Slot struct {
	Schedule string
	// Spec identifies the schedule's timing; a changed spec starts afresh.
	Spec string
	At   time.Time
}

// Position is how far a schedule has come.
type Position struct {
	Schedule, Spec string
	// Last slot fired; zero when none was. Only firing changes it.
	Last time.Time
	// Slots up to Since are settled, fired or not; those up to Seen have come due
	// while somebody watched, and wait.
	Since, Seen time.Time
	// Paused by a person.
	Paused bool
}

// Delivery is one event for one route.
type Delivery struct {
	// Seq orders deliveries by age and names them in the store; ID shows it.
	Seq int64
	// Event is set where a delivery is about to run, nil in lists.
	Event    *event.Event
	EventSeq int64
	EventID  string
	Route    string
	Engine   string
	Workflow string
	// Input is the JSON that the route's `with` made; nil without one.
	Input []byte
	// Gather: it does not run by itself but as one of a group, and ends, Merged,
	// when the group becomes an event with a delivery that runs.
	Gather bool
	// Key is the order key; empty without one.
	Key   string
	State State
	// Attempt counts the attempts that have ended; Throttled those of them that
	// only met a full engine.
	Attempt, Throttled int
	// Due is the earliest time of the next attempt.
	Due time.Time
	// FirstAttemptAt is zero until an attempt has begun.
	FirstAttemptAt time.Time
	// RunID is the engine's own name for the run, once it told.
	RunID string
	// Claimed: this process has it in memory; Claim will not return it.
	Claimed bool
	// Last is the latest attempt; zero before the first.
	Last Attempt
}

// ID is the delivery's public name and the idempotency key that engines see.
func (d *Delivery) ID() string { return FormatID(d.Seq) }

// Attempt is one try of a delivery.
type Attempt struct {
	Number  int
	Started time.Time
	Ended   time.Time
	// Outcome: succeeded, retryable, throttled, permanent, timeout, cancelled.
	Outcome string
	Message string
	// Output is the JSON that a succeeded run gave.
	Output []byte
	// Process is the engine process that ran it.
	Process string
}

// Change is what became of a delivery, to be written soon: it rides the next
// commit, at most a few milliseconds later.
type Change struct {
	Delivery *Delivery
	// State, Due, RunID, Claimed, Attempts, Throttled and FirstAttemptAt become
	// the delivery's.
	State               State
	Due                 time.Time
	RunID               string
	Claimed             bool
	Attempts, Throttled int
	FirstAttemptAt      time.Time
	// Attempt that ended or, while the state stays open, goes on.
	Attempt Attempt
	// AttemptEnded: the attempt counts and is added to the history.
	AttemptEnded bool
	// Emit is an event that the change causes, committed with it.
	Emit *Entry
	// Also are changes of other deliveries, committed with it: only their own
	// fields and those of their attempts count.
	Also []*Change
	// Start, when set, is remembered with the change: it counts by the rate of
	// its route, whatever becomes of the delivery and of this process.
	Start *Start
	// Urgent: do not wait for another commit to ride on.
	Urgent bool
	// Committed, when set, is called by the writer once the change is on disk.
	// It must not block.
	Committed func()
}

// Start is a run of a route with a rate that is about to start.
type Start struct {
	Route string
	At    time.Time
	// Window is how long it counts, at most MaxWindow; then it may be forgotten.
	Window time.Duration
}

// MaxWindow is the longest that a start counts.
const MaxWindow = 24 * time.Hour

// Claim asks for pending deliveries of one route, with their events.
type Claim struct {
	Route string
	Limit int
	// MaxBytes bounds the bodies that are loaded; at least one is.
	MaxBytes int
	// Now: deliveries due by then. Ignored when InOrder.
	Now time.Time
	// InOrder: oldest first whether due or not, for routes with strict order.
	InOrder bool
	// Gather: those that gather, oldest first, instead of those that do not.
	Gather bool
	// Except are order keys that have enough in memory.
	Except []string
}

// Claimed answers a Claim.
type Claimed struct {
	Deliveries []*Delivery
	// More: the limit, not the end of the backlog, ended the list.
	More bool
	// NextDue is when the next unclaimed delivery of the route comes due; zero
	// when there is none.
	NextDue time.Time
}

// Taker receives what is ready to run, straight from the commit. All its
// methods are called by the store's one writer, in commit order, and must not
// block.
type Taker interface {
	// Room tells whether a delivery that is about to be committed can be held
	// in memory. If not it stays in the store until it is claimed.
	Room(d *Delivery) bool
	// Take is told of every delivery just committed, Claimed or not. The slice
	// is used again afterwards.
	Take(ds []*Delivery)
}

// Retain says how long ended things are kept.
type Retain struct {
	// Succeeded and Dead count from the end of a delivery, Unrouted from the
	// event's arrival, Dedupe from the first sending.
	Succeeded, Dead, Unrouted, Dedupe time.Duration
}

// Stats is what the store measures of itself.
type Stats struct {
	Commits, Entries, Changes uint64
	// CommitTime is the time spent in commits so far.
	CommitTime time.Duration
	// Open deliveries: pending, running or waiting.
	Open int64
	// Free and Size of the store's disk and files, in bytes.
	Free, Size uint64
	// Refusing is why intake is refused now; empty when it is not.
	Refusing string
}

// Durability tells in a few words what a commit survives.
type Durability string
