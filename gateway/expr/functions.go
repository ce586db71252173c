package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// functions are the string functions beyond CEL's own. CEL has an extension
// with most of these names, but cost and time are checked between calls, not
// inside one, and its replace turns 200 KB into 16 GB before anybody looks.
// Ours are linear in their arguments and refuse results above maxOutput.
func functions() cel.EnvOption {
	str, num, list := cel.StringType, cel.IntType, cel.ListType(cel.StringType)
	sub := []*cel.Type{str, str}
	return options(
		method("replace", []*cel.Type{str, str, str}, str, replace),
		method("indexOf", sub, num, indexOf),
		method("lastIndexOf", sub, num, lastIndexOf),
		method("substring", []*cel.Type{str, num}, str, substring),
		method("substring", []*cel.Type{str, num, num}, str, substring),
		method("split", sub, list, split),
		method("join", []*cel.Type{list}, str, join),
		method("join", []*cel.Type{list, str}, str, join),
		method("lowerAscii", []*cel.Type{str}, str, mapped(lowerASCII)),
		method("upperAscii", []*cel.Type{str}, str, mapped(upperASCII)),
		method("lower", []*cel.Type{str}, str, mapped(strings.ToLower)),
		method("upper", []*cel.Type{str}, str, mapped(strings.ToUpper)),
		method("trim", []*cel.Type{str}, str, mapped(strings.TrimSpace)),
		method("trimPrefix", sub, str, affix(strings.TrimPrefix)),
		method("trimSuffix", sub, str, affix(strings.TrimSuffix)),
	)
}

func options(opts ...cel.EnvOption) cel.EnvOption {
	return func(e *cel.Env) (*cel.Env, error) {
		for _, opt := range opts {
			var err error
			if e, err = opt(e); err != nil {
				return nil, err
			}
		}
		return e, nil
	}
}

// method declares one form of a function that is called on its first argument.
func method(name string, args []*cel.Type, result *cel.Type, f func(...ref.Val) ref.Val) cel.EnvOption {
	id := fmt.Sprintf("gateway_%s_%d", name, len(args))
	return cel.Function(name, cel.MemberOverload(id, args, result, cel.FunctionBinding(f)))
}

func mapped(f func(string) string) func(...ref.Val) ref.Val {
	return func(args ...ref.Val) ref.Val { return types.String(f(text(args[0]))) }
}

func affix(f func(s, affix string) string) func(...ref.Val) ref.Val {
	return func(args ...ref.Val) ref.Val { return types.String(f(text(args[0]), text(args[1]))) }
}

// text reads an argument that CEL's dispatch has already checked.
func text(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

func replace(args ...ref.Val) ref.Val {
	s, from, to := text(args[0]), text(args[1]), text(args[2])
	if size := len(s) + strings.Count(s, from)*(len(to)-len(from)); size > maxOutput {
		return tooLarge("replace")
	}
	return types.String(strings.ReplaceAll(s, from, to))
}

func indexOf(args ...ref.Val) ref.Val {
	return runeIndex(text(args[0]), strings.Index(text(args[0]), text(args[1])))
}

func lastIndexOf(args ...ref.Val) ref.Val {
	return runeIndex(text(args[0]), strings.LastIndex(text(args[0]), text(args[1])))
}

// runeIndex turns a byte index into one in characters, which is how CEL counts.
func runeIndex(s string, i int) ref.Val {
	if i < 0 {
		return types.Int(-1)
	}
	return types.Int(utf8.RuneCountInString(s[:i]))
}

// substring counts in characters. Ends beyond the string are the string's end:
// the first 7 characters of a shorter string are all of it.
func substring(args ...ref.Val) ref.Val {
	s := text(args[0])
	start, _ := args[1].(types.Int)
	end := types.Int(len(s))
	if len(args) == 3 {
		end, _ = args[2].(types.Int)
	}
	if start < 0 || end < 0 || len(args) == 3 && end < start {
		return types.NewErr("substring(%d, %d): not a range", start, end)
	}
	from := byteIndex(s, int64(start))
	return types.String(s[from : from+byteIndex(s[from:], max(0, int64(end-start)))])
}

// byteIndex is where the n-th character of s begins.
func byteIndex(s string, n int64) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func split(args ...ref.Val) ref.Val {
	s, sep := text(args[0]), text(args[1])
	if strings.Count(s, sep) >= maxParts {
		return types.NewErr("split: more than %d parts", maxParts)
	}
	return types.NewStringList(types.DefaultTypeAdapter, strings.Split(s, sep))
}

func join(args ...ref.Val) ref.Val {
	sep := ""
	if len(args) == 2 {
		sep = text(args[1])
	}
	list, ok := args[0].(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	var b strings.Builder
	for it, first := list.Iterator(), true; it.HasNext() == types.True; first = false {
		part, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("join: the list holds something else than strings")
		}
		if !first {
			b.WriteString(sep)
		}
		if b.Len()+len(part)+len(sep) > maxOutput {
			return tooLarge("join")
		}
		b.WriteString(string(part))
	}
	return types.String(b.String())
}

func tooLarge(name string) ref.Val {
	return types.NewErr("%s: result larger than %d bytes", name, maxOutput)
}

func lowerASCII(s string) string { return shiftASCII(s, 'A', 'a'-'A') }

func upperASCII(s string) string { return shiftASCII(s, 'a', -('a' - 'A')) }

// shiftASCII moves the 26 letters from first on by a distance.
func shiftASCII(s string, first byte, by int) string {
	b := []byte(s)
	for i, c := range b {
		if c >= first && c < first+26 {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}

// functionCost charges our functions for the bytes that they read and write,
// where CEL would charge one unit for any call.
type functionCost struct{}

// CallCost implements cel's ActualCostEstimator.
func (functionCost) CallCost(_, overload string, args []ref.Val, result ref.Val) *uint64 {
	if !strings.HasPrefix(overload, "gateway_") {
		return nil
	}
	bytes := sizeOf(result)
	for _, arg := range args {
		bytes += sizeOf(arg)
	}
	cost := 1 + bytes/10
	return &cost
}

// sizeOf is the length of a string, ten for each part of a list.
func sizeOf(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case traits.Lister:
		n, _ := v.Size().(types.Int)
		return uint64(n) * 10
	}
	return 0
}
