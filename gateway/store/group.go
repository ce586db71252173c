package store

import "strings"

// groupMark begins the id of an event that is made of several.
const groupMark = "~group-"

// GroupID is the id of the event that the deliveries of a group become, of which
// seq is the oldest. It is the same however often the group is made.
func GroupID(seq int64) string { return groupMark + FormatID(seq) }

// IsGroup tells the id of such an event. It is routed by what its members were:
// to match it against routes says nothing.
func IsGroup(id string) bool {
	seq, is := strings.CutPrefix(id, groupMark)
	if is {
		_, is = ParseID(seq)
	}
	return is
}
