package expr

import (
	"encoding/json"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/event-gateway/gateway/gateway/event"
)

// variables declares the event's attributes as dotted names rather than as
// fields of one value: a misspelt one is then a mistake at load time, and
// reading one is a comparison of strings.
func variables() cel.EnvOption {
	text := cel.MapType(cel.StringType, cel.StringType)
	return cel.VariableDecls(
		decls.NewVariable("event.id", cel.StringType),
		decls.NewVariable("event.type", cel.StringType),
		decls.NewVariable("event.source", cel.StringType),
		decls.NewVariable("event.subject", cel.StringType),
		decls.NewVariable("event.time", cel.TimestampType),
		decls.NewVariable("event.headers", text),
		decls.NewVariable("event.query", text),
		decls.NewVariable("event.extensions", text),
		decls.NewVariable("event.data", cel.DynType),
		decls.NewVariable("event.raw", cel.BytesType),
	)
}

// activation resolves the variables from an event, one by one as they are
// asked for, so that a body that no expression looks at is never decoded.
type activation event.Event

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "event.id":
		return types.String(a.ID), true
	case "event.type":
		return types.String(a.Type), true
	case "event.source":
		return types.String(a.Source), true
	case "event.subject":
		return types.String(a.Subject), true
	case "event.time":
		return types.Timestamp{Time: a.Time}, true
	case "event.headers":
		return a.Headers, true
	case "event.query":
		return a.Query, true
	case "event.extensions":
		return a.Extensions, true
	case "event.raw":
		return types.Bytes(a.Body), true
	case "event.data":
		return a.data(), true
	}
	return nil, false
}

func (a *activation) data() any {
	data, err := (*event.Event)(a).Data()
	if err != nil {
		return types.WrapErr(err)
	}
	if data == nil {
		return types.NullValue
	}
	return data
}

// adapter reads decoded JSON. It differs from CEL's own in that a whole number
// beyond int64 stays a whole number as long as uint64 can hold it.
type adapter struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case string:
		return types.String(v)
	case json.Number:
		return number(v)
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case map[string]string:
		return types.NewStringStringMap(a, v)
	case []any:
		return types.NewDynamicList(a, v)
	}
	return a.Adapter.NativeToValue(value)
}

func number(n json.Number) ref.Val {
	if i, err := n.Int64(); err == nil {
		return types.Int(i)
	}
	if u, err := strconv.ParseUint(string(n), 10, 64); err == nil {
		return types.Uint(u)
	}
	if f, err := n.Float64(); err == nil {
		return types.Double(f)
	}
	return types.NewErr("number %q is out of range", string(n))
}
