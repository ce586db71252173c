package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
	"github.com/event-gateway/gateway/gateway/rehearse/stage"
)

// Report is how a folder of cases went.
type Report struct {
	Config string `json:"config"`
	Passed int    `json:"passed"`
	Failed int    `json:"failed"`
	Millis int64  `json:"millis"`
	// Problems keep the configuration or a file of cases from being used.
	Problems config.Problems `json:"problems"`
	Cases    []CaseReport    `json:"cases"`
	// Coverage is absent when only some cases ran.
	Coverage *rehearse.Covered `json:"coverage,omitempty"`
}

// CaseReport is how a case went.
type CaseReport struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	Micros int64  `json:"micros"`
	// Differences from what was expected.
	Differences config.Problems `json:"differences,omitempty"`
}

// OK tells whether nothing went wrong.
func (r *Report) OK() bool { return r.Failed == 0 && !r.Problems.Failed() }

// playing is one run over a folder of cases.
type playing struct {
	config string
	only   *regexp.Regexp

	report   Report
	coverage *rehearse.Coverage
	stages   map[string]*stage.Stage
	// set and others are the files that were read.
	set    *files.Set
	others []string
}

// play runs the cases of a folder. The report is there whatever happens; an
// error is about the folder.
func play(ctx context.Context, path, folder string, only *regexp.Regexp) (*playing, error) {
	began := time.Now()
	p := &playing{config: path, only: only, coverage: rehearse.NewCoverage(), stages: map[string]*stage.Stage{}, set: files.NewSet()}
	p.report = Report{Config: path, Problems: config.Problems{}, Cases: []CaseReport{}}
	_, _ = p.set.Read(absolute(path)) // as it is now, should it change meanwhile
	paths, err := script.Find(folder)
	if os.IsNotExist(err) {
		return p, fmt.Errorf("no folder %s: cases are YAML files in a folder tests beside the configuration (docs/testing.md)", folder)
	}
	if err != nil {
		return p, err
	}
	for _, path := range paths {
		p.file(ctx, path)
	}
	if only == nil && !p.report.Problems.Failed() {
		for _, s := range p.stages {
			covered := p.coverage.Of(s.Routes)
			p.report.Coverage = &covered
			break // all have the same routes
		}
	}
	p.report.Millis = time.Since(began).Milliseconds()
	if len(p.report.Cases) == 0 && p.report.OK() {
		return p, fmt.Errorf("no cases in %s", folder)
	}
	return p, nil
}

// file plays the cases of one file.
func (p *playing) file(ctx context.Context, path string) {
	s, problems := script.Load(path, p.set)
	p.report.Problems = append(p.report.Problems, problems...)
	if problems.Failed() {
		return
	}
	on, err := p.stage(s)
	if err != nil {
		p.refuse(s, err)
		return
	}
	for _, c := range s.Casts {
		if p.only == nil || p.only.MatchString(c.Name) {
			p.add(on.Play(ctx, c))
		}
	}
}

func (p *playing) add(r stage.Result) {
	c := CaseReport{
		Name: r.Cast.Name, File: r.Cast.In.Path, Line: r.Cast.Line(), Passed: len(r.Differences) == 0,
		Micros: r.Took.Microseconds(), Differences: r.Differences,
	}
	if c.Passed {
		p.report.Passed++
	} else {
		p.report.Failed++
	}
	p.report.Cases = append(p.report.Cases, c)
}

// refuse reports what keeps a file's cases from the stage, once.
func (p *playing) refuse(s *script.Script, err error) {
	problems := config.Problems{s.Problem(err.Error())}
	if b, ok := err.(broken); ok {
		problems = b.Problems
	}
	for _, one := range problems {
		if !slices.ContainsFunc(p.report.Problems, func(before config.Problem) bool { return before.String() == one.String() }) {
			p.report.Problems = append(p.report.Problems, one)
		}
	}
}

// stage is the configuration as a file's cases see it, compiled once for all
// that see it so.
func (p *playing) stage(s *script.Script) (*stage.Stage, error) {
	key, err := json.Marshal([]any{s.Env, s.Secrets})
	if err != nil {
		return nil, err
	}
	if on := p.stages[string(key)]; on != nil {
		return on, nil
	}
	env := func(name string) (string, bool) { v, ok := s.Env[name]; return v, ok }
	on, doc, err := setting{path: p.config, env: env, secrets: s.Secrets, now: s.Begins()}.build(p.coverage)
	p.others = append(p.others, doc.Files...)
	if err == nil {
		p.stages[string(key)] = on
	}
	return on, err
}

// watched are all files that the run depends on, and what was seen of them.
func (p *playing) watched() (paths []string, fingerprint string) {
	for _, path := range p.others {
		_, _ = p.set.Read(path) // one that is not there is waited for
	}
	paths = p.set.Paths()
	return paths, p.set.Fingerprint(paths)
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
