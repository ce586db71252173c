package value

import "strings"

// Pattern tells what is wrong with the text of an event type, which may have
// stars for whole segments: wrong has a %s for the text. It is empty when all is
// well.
func Pattern(event string) (wrong, hint string) {
	for segment := range strings.SplitSeq(event, ".") {
		switch {
		case segment == "":
			return "%s has an empty segment", ""
		case strings.ContainsAny(segment, " \t\r\n"):
			return "%s has a space in it", "one event type to an item"
		case strings.Contains(segment, "*") && segment != "*":
			return "in %s the star is only part of a segment", "a star stands for whole segments: github.*"
		}
	}
	return "", ""
}
