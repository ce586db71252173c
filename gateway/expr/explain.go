package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/event-gateway/gateway/gateway/event"
)

// Finding is why a condition does not hold.
type Finding struct {
	// Part is the first part, of those joined with &&, that does not hold.
	Part string
	// Saw are the parts of the event that it looks at, as they are there.
	Saw []Seen
	// Err is why it could not tell.
	Err error
}

// Seen is a place in the event and the JSON that stands there, or why none
// does.
type Seen struct {
	Place string
	JSON  []byte
	Err   error
}

// Explain asks the condition once more, slowly, and watches it: nobody waits
// for an explanation, so nothing is kept for it. A condition that holds has no
// finding.
func (c *Condition) Explain(ev *event.Event) Finding {
	checked, issues := c.env.cel.Compile(c.src)
	if issues.Err() != nil {
		return Finding{Err: issues.Err()} // it compiled before
	}
	options := append(programOptions(c.loops), cel.EvalOptions(cel.OptTrackState))
	run, err := c.env.cel.Program(checked, options...)
	if err != nil {
		return Finding{Err: err}
	}
	w := watched{env: c.env, info: checked.NativeRep().SourceInfo(), event: ev}
	root := checked.NativeRep().Expr()
	v, details, err := (&program{run: run, loops: c.loops}).evalDetails(ev)
	holds, err := answer(v, err)
	if holds {
		return Finding{}
	}
	w.details = details
	return w.finding(w.culprit(root, err), err)
}

// culprit is the first part that does not hold; without one, the first that
// cannot tell.
func (w *watched) culprit(root ast.Expr, err error) ast.Expr {
	var first ast.Expr
	for _, part := range conjuncts(root, nil) {
		switch v := w.value(part); {
		case v == types.False:
			return part
		case v != types.True && first == nil && err != nil:
			first = part
		}
	}
	if first == nil {
		first = root
	}
	return first
}

// conjuncts are the parts that all must hold, as they are written.
func conjuncts(e ast.Expr, parts []ast.Expr) []ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd {
		for _, arg := range e.AsCall().Args() {
			parts = conjuncts(arg, parts)
		}
		return parts
	}
	return append(parts, e)
}

// watched is an evaluation that has been watched.
type watched struct {
	env     *Env
	info    *ast.SourceInfo
	details *cel.EvalDetails
	event   *event.Event
}

func (w *watched) value(e ast.Expr) ref.Val {
	if w.details == nil {
		return nil
	}
	v, _ := w.details.State().Value(e.ID())
	return v
}

func (w *watched) finding(part ast.Expr, err error) Finding {
	f := Finding{Part: w.text(part), Err: err}
	seen := map[string]bool{}
	for _, place := range places(part) {
		name := w.text(place)
		if seen[name] || name == f.Part {
			continue
		}
		seen[name] = true
		f.Saw = append(f.Saw, w.see(name))
	}
	return f
}

func (w *watched) text(e ast.Expr) string {
	text, err := cel.ExprToString(e, w.info)
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

// see reads one place anew: what the evaluation kept of it may have been cut
// short, by || or by an error somewhere else.
func (w *watched) see(place string) Seen {
	p, err := w.env.compile(place, place, 0, isAny)
	if err != nil {
		return Seen{Place: place, Err: err}
	}
	v, err := p.eval(w.event)
	if err != nil {
		return Seen{Place: place, Err: err}
	}
	e := encoder{}
	if err := e.value(v); err != nil {
		return Seen{Place: place, Err: err}
	}
	return Seen{Place: place, JSON: e.buf}
}

// places are the longest paths into the event that stand in an expression. The
// variables of loops have no name outside of them; what they go over has.
func places(e ast.Expr) (list []ast.Expr) {
	switch e.Kind() {
	case ast.CallKind:
		if isPath(e) {
			return []ast.Expr{e}
		}
		call := e.AsCall()
		if call.IsMemberFunction() {
			list = places(call.Target())
		}
		for _, arg := range call.Args() {
			list = append(list, places(arg)...)
		}
	case ast.IdentKind, ast.SelectKind:
		if isPath(e) {
			return []ast.Expr{e}
		}
		if e.Kind() == ast.SelectKind {
			return places(e.AsSelect().Operand())
		}
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		return append(places(loop.IterRange()), places(loop.LoopStep())...)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			list = append(list, places(item)...)
		}
	}
	return list
}

// isPath tells whether an expression is an attribute of the event, or leads on
// from one by names and constant indices.
func isPath(e ast.Expr) bool {
	switch e.Kind() {
	case ast.IdentKind:
		return strings.HasPrefix(e.AsIdent(), "event.")
	case ast.SelectKind:
		return !e.AsSelect().IsTestOnly() && isPath(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		return call.FunctionName() == operators.Index && len(call.Args()) == 2 &&
			isPath(call.Args()[0]) && call.Args()[1].Kind() == ast.LiteralKind
	}
	return false
}
