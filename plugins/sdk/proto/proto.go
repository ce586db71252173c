// Package proto has the text of the engine contract, for those who hand it on
// to authors in other languages.
package proto

import _ "embed" // the text

// Engine is engine/v1/engine.proto.
//
//go:embed engine/v1/engine.proto
var Engine string
