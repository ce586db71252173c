// Package expr is the small language in which the configuration asks about an
// event: CEL, compiled once when a configuration is loaded and evaluated,
// within bounds, for every event that comes through routing. It stands beside
// event at the bottom and is the only package that knows CEL.
//
// An expression sees event.id, .type, .source, .subject, .time, .headers,
// .query, .data (the decoded body) and .raw (its bytes). There is no clock and
// no randomness: the same event and expression give the same answer for ever,
// which is what makes test, plan and replay possible.
package expr

import (
	"context"
	"fmt"
	"strconv"
	"time"
	"weak"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/event-gateway/gateway/gateway/event"
)

// The bounds. An expression without a loop is bounded by its size; one with a
// loop also by a cost, which is the same on every machine, and by a time far
// beyond what that cost takes.
const (
	maxSource  = 8 << 10
	maxNodes   = 10_000
	maxDepth   = 100
	maxRegex   = 10_000
	maxCost    = 1_000_000
	maxTime    = time.Second
	checkEvery = 100
	maxOutput  = 1 << 20
	maxParts   = 1 << 16
)

// Env compiles expressions. It is safe for concurrent use; one serves all.
type Env struct {
	cel  *cel.Env
	memo memo
}

// New makes the environment.
func New() *Env {
	env, err := cel.NewEnv(
		cel.CustomTypeAdapter(adapter{types.DefaultTypeAdapter}),
		cel.OptionalTypes(),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.EnableMacroCallTracking(), // explanations quote what was written
		variables(),
		functions(),
	)
	if err != nil {
		panic("expr: the environment is a constant and must build: " + err.Error())
	}
	return &Env{cel: env, memo: memo{known: map[string]weak.Pointer[program]{}}}
}

// Condition is a question about an event.
type Condition struct {
	*program
	env *Env
	src string
}

// Condition compiles an expression whose result must be a bool. What is wrong
// with src comes back as Errors.
func (e *Env) Condition(src string) (*Condition, error) {
	p, err := e.compile(src, src, 0, isBool)
	if err != nil {
		return nil, err
	}
	return &Condition{p, e, src}, nil
}

// Match answers the question. An error means no answer: the caller counts and
// shows it, and takes it for no.
func (c *Condition) Match(ev *event.Event) (bool, error) {
	return answer(c.eval(ev))
}

func answer(v ref.Val, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, fmt.Errorf("result is %s, must be bool", kindOf(v))
	}
	return bool(b), nil
}

// Text makes a string out of an event: an id, a type, an order key.
type Text struct{ *program }

// Text compiles an expression whose result is a string, or a number, bool or
// time that has one obvious spelling. Mistakes come back as Errors.
func (e *Env) Text(src string) (*Text, error) {
	p, err := e.compile(src, src, 0, isText)
	if err != nil {
		return nil, err
	}
	return &Text{p}, nil
}

// Eval makes the string.
func (t *Text) Eval(ev *event.Event) (string, error) {
	v, err := t.eval(ev)
	if err != nil {
		return "", err
	}
	return textOf(v)
}

// program is a compiled expression.
type program struct {
	run    cel.Program
	result *cel.Type
	loops  bool
}

// compile compiles src, which stands at base in the string text; positions of
// mistakes are positions in text.
func (e *Env) compile(text, src string, base int, accept func(*cel.Type) string) (*program, error) {
	if len(src) > maxSource {
		return nil, Errors{at(text, base, fmt.Sprintf("longer than %d bytes", maxSource))}
	}
	p := e.memo.get(src)
	if p == nil {
		checked, issues := e.cel.Compile(src)
		if issues.Err() != nil {
			return nil, compileErrors(text, src, base, issues)
		}
		var err error
		if p, err = e.program(checked); err != nil {
			return nil, Errors{at(text, base, err.Error())}
		}
		e.memo.put(src, p)
	}
	if complaint := accept(p.result); complaint != "" {
		return nil, Errors{at(text, base+leadingSpace(src), complaint)}
	}
	return p, nil
}

func (e *Env) program(checked *cel.Ast) (*program, error) {
	p := &program{result: checked.OutputType(), loops: hasLoop(checked.NativeRep().Expr())}
	var err error
	p.run, err = e.cel.Program(checked, programOptions(p.loops)...)
	return p, err
}

// programOptions: counting cost doubles the price of a small filter, so only
// expressions that can loop pay for it.
func programOptions(loops bool) []cel.ProgramOption {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if loops {
		options = append(options,
			cel.CostTracking(functionCost{}),
			cel.CostLimit(maxCost),
			cel.InterruptCheckFrequency(checkEvery))
	}
	return options
}

func hasLoop(root ast.Expr) bool {
	found := false
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	}))
	return found
}

func (p *program) eval(ev *event.Event) (ref.Val, error) {
	v, _, err := p.evalDetails(ev)
	return v, err
}

func (p *program) evalDetails(ev *event.Event) (ref.Val, *cel.EvalDetails, error) {
	if !p.loops {
		return p.run.Eval((*activation)(ev))
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	return p.run.ContextEval(ctx, (*activation)(ev))
}

// isBool accepts what is, or may turn out to be, a bool.
func isBool(t *cel.Type) string {
	switch t.Kind() {
	case types.BoolKind, types.DynKind:
		return ""
	}
	return "result is " + typeName(t) + ", must be bool"
}

// isText accepts what is, or may turn out to be, worth a string.
func isText(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind, types.IntKind, types.UintKind, types.DoubleKind,
		types.BoolKind, types.TimestampKind, types.DynKind:
		return ""
	}
	return "result is " + typeName(t) + ", must be a string, number or bool"
}

func isAny(*cel.Type) string { return "" }

func typeName(t *cel.Type) string {
	if t.TypeName() == types.OptionalType.TypeName() {
		return "optional (end it with .orValue(…))"
	}
	return t.String()
}

// textOf spells a scalar.
func textOf(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		return string(appendDouble(nil, float64(v))), nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Timestamp:
		return v.Time.UTC().Format(time.RFC3339Nano), nil
	}
	return "", fmt.Errorf("result is %s, must be a string, number or bool", kindOf(v))
}

func kindOf(v ref.Val) string {
	switch v.Type().TypeName() {
	case types.NullType.TypeName():
		return "null"
	case types.OptionalType.TypeName():
		return "optional (end it with .orValue(…))"
	}
	return v.Type().TypeName()
}
