package editor

import "slices"

// beyond are files of which the editor cannot know everything, and why.
func beyond(name string) (why string) {
	for _, group := range []struct {
		why   string
		files []string
	}{
		{"it depends on the environment and on other files", []string{
			"reference-in-block", "reference-not-shown", "reference-unset", "reference-unset-exact-place", "reference-wrong-type",
			"schema-file", "secret-all-defaulted", "secret-file-folder", "secret-file-missing", "secret-unset", "tls-bad",
		}},
		{"one part of the file speaks of another", []string{
			"admin-public", "admin-same-as-listen", "challenge-provider", "defaults-engine-undefined", "many-at-once", "route-engine-omitted",
			"route-engine-undefined", "route-no-engines", "route-strict-concurrency", "schedule-bounds", "secret-missing", "signature-id",
			"signature-missing", "signature-not-hmac", "signature-time-place", "signature-timestamp", "signature-timestamp-unsigned",
			"signature-token", "signature-tolerance", "signature-url", "tokens-bad", "tokens-empty", "webhook-none-public",
			"webhook-none-secrets", "webhook-repeated-within", "webhook-same-path",
		}},
		{"it is about how large something is, not about how it looks", []string{
			"backoff-bad", "cloudevents-origins", "debounce-times", "duration-too-large", "max-body-too-large", "schedule-every-zero", "webhook-rate-bad", "route-rate-bad",
		}},
		{"a secret is judged by what it is", []string{
			"secret-control-character", "secret-empty", "secret-list-empty", "secret-literal-alias", "secret-placeholder", "secret-shell-style", "secret-short",
		}},
		{"it is about what stands inside a text", []string{
			"signature-body-unsigned", "signature-header-name", "signature-placeholder", "webhook-headers",
		}},
		{"the editor reads YAML 1.2, or reads it more kindly", []string{
			"alias-bomb", "alias-cycle", "comment-cuts-text", "file-only-comments", "file-second-document",
			"number-leading-zero", "number-leading-zero-in-data", "number-not-json",
		}},
	} {
		if slices.Contains(group.files, name) {
			return group.why
		}
	}
	return ""
}

// elsewhere are files that both refuse, at different lines, and why.
func elsewhere(name string) (why string) {
	return map[string]string{
		"file-null":                  "nothing stands nowhere",
		"routes-list":                "the validator points at the key, because a list begins with its dash",
		"schedule-both":              "of two keys that exclude each other, the editor points at the map",
		"syntax-hides-secrets":       "the editor points at where an open quote would have to end",
		"syntax-unclosed-quote":      "likewise",
		"syntax-unclosed-list":       "likewise of an open bracket",
		"syntax-second-document":     "likewise",
		"syntax-indent-between":      "the editor reads on behind a mistake",
		"syntax-indent-deeper":       "likewise",
		"syntax-colon-without-space": "likewise",
		"version-newer":              "of another version's file the validator says nothing else",
	}[name]
}
