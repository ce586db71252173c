package api

import (
	_ "embed"
	"net/http"
)

// description is the API as OpenAPI 3.1. A test makes it of openapi.yaml and of
// the types of this package with their comments, and says when it is not true.
//
//go:embed openapi.json
var description string

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(description)) // a reader that went away is its own loss
}
