package contract

import (
	"os"
	"slices"
	"testing"
)

func load(t *testing.T) *Contract {
	t.Helper()
	text, err := os.ReadFile("../../gateway/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is not described is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	c := load(t)
	const jsonType, problemType = "application/json", "application/problem+json"
	const refused = `{"title":"Not Found","status":404}`
	for name, a := range map[string]struct {
		Answer
		ok bool
	}{
		"as described":          {Answer{"GET", "/healthz", 200, jsonType, []byte(`{"status":"ok"}`)}, true},
		"other value":           {Answer{"GET", "/healthz", 200, jsonType, []byte(`{"status":"fine"}`)}, false},
		"more than described":   {Answer{"GET", "/healthz", 200, jsonType, []byte(`{"status":"ok","x":1}`)}, false},
		"less":                  {Answer{"GET", "/healthz", 200, jsonType, []byte(`{}`)}, false},
		"no JSON":               {Answer{"GET", "/healthz", 200, jsonType, []byte(`ok`)}, false},
		"other media":           {Answer{"GET", "/healthz", 200, "text/plain", []byte(`{"status":"ok"}`)}, false},
		"other code":            {Answer{"GET", "/healthz", 204, jsonType, nil}, false},
		"internal error":        {Answer{"GET", "/nowhere", 500, problemType, []byte(refused)}, false},
		"with a name":           {Answer{"GET", "/api/v1/deliveries/0000000000001", 404, problemType, []byte(refused)}, true},
		"a null":                {Answer{"GET", "/api/v1/events", 200, jsonType, []byte(`{"events":null}`)}, false},
		"no time":               {Answer{"GET", "/api/v1/config", 200, jsonType, []byte(`{"file":"","revision":"","loaded_at":"now","accepted":0,"refused":0}`)}, false},
		"not there":             {Answer{"GET", "/nowhere", 404, problemType, []byte(refused)}, true},
		"not there, answered":   {Answer{"GET", "/nowhere", 200, jsonType, []byte(`{}`)}, false},
		"not there, plain text": {Answer{"GET", "/nowhere", 404, "text/plain", []byte(`x`)}, false},
		"deep": {Answer{"POST", "/api/events/trigger/a", 202, jsonType,
			[]byte(`{"message":"","event_id":"","workflows_executed":1,"results":[{"workflow_id":"","engine":"","route":"","delivery_id":"","run_id":null,"status":"DONE"}]}`)}, false},
	} {
		if err := c.Check(a.Answer); (err == nil) != a.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same seed makes the same requests, and they are of every kind.
func TestGenerate(t *testing.T) {
	t.Parallel()
	c := load(t)
	a, b := c.Generate(1), c.Generate(1)
	seen := map[string]int{}
	for range 2000 {
		one, other := a.Next(), b.Next()
		if one.Target != other.Target || one.Body != other.Body {
			t.Fatalf("%+v, %+v", one, other)
		}
		seen[one.Method]++
		for _, text := range []string{one.Body, one.Target} {
			if text != "" {
				seen[text[:1]]++
			}
		}
	}
	for _, kind := range []string{"GET", "POST", "DELETE", "/", "{", "["} {
		if seen[kind] == 0 {
			t.Errorf("none has %s: %v", kind, seen)
		}
	}
	a.Learn([]byte(`{"rows":[{"id":"learned"}]}`))
	if !slices.Contains(a.known, "learned") {
		t.Error("nothing was learned")
	}
}
