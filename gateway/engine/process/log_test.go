package process

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       Line
	}{
		{"hclog", `{"@level":"warn","@message":"slow","@timestamp":"2026-01-02T03:04:05Z","took":"3s"}`,
			Line{Warn, "slow", map[string]any{"took": "3s"}}},
		{"slog", `{"time":"x","level":"ERROR","msg":"no"}`, Line{Error, "no", nil}},
		{"message is an object", `{"@level":"error","@message":{"a":[1]}}`, Line{Error, `{"a":[1]}`, nil}},
		{"message is a number", `{"@message":12345678901234567890}`, Line{Info, "12345678901234567890", nil}},
		{"message is null", `{"@message":null,"@level":null}`, Line{Info, "", nil}},
		{"level is a number", `{"@level":3,"@message":"x"}`, Line{Info, "x", nil}},
		{"unknown level", `{"@level":"loud","@message":"x"}`, Line{Info, "x", nil}},
		{"prefix", "[DEBUG] detail", Line{Debug, "detail", nil}},
		{"no level", "[main] text", Line{Info, "[main] text", nil}},
		{"broken JSON", `{"@message":`, Line{Info, `{"@message":`, nil}},
		{"two values", `{"a":1}{"b":2}`, Line{Info, `{"a":1}{"b":2}`, nil}},
		{"escapes", "\x1b[31mred\x00\xff", Line{Info, "\uFFFD[31mred\uFFFD\uFFFD", nil}},
		{"newline in a message", `{"msg":"a\nb"}`, Line{Info, "a⏎b", nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := parseLine([]byte(test.text)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{
		`{"@level":"warn","@message":"slow","k":{"a":[1,2]}}`, `{"@message":{},"@level":[]}`, `[WARN] x`, `[`, `]`, `{`, "",
		`{"a":` + strings.Repeat("[", 20000), "\x1b]0;title\x07", `{"\u0000":"\u001b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		line := parseLine(text)
		if line.Level < Trace || line.Level > Error {
			t.Errorf("level %d", line.Level)
		}
		clean(t, line.Message)
		for key, value := range line.Fields {
			clean(t, key)
			if text, ok := value.(string); ok {
				clean(t, text)
			}
		}
		if _, err := json.Marshal(line.Fields); err != nil {
			t.Errorf("fields can't be logged: %v", err)
		}
	})
}

func clean(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\t' {
			t.Errorf("control character: %q", text)
		}
	}
}

// FuzzOutput feeds both readers of what a process prints: nothing is lost that
// fits, nothing blocks, the handshake is the first line.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("1|1|unix|/x|grpc|\nrest\n"), uint8(1))
	f.Add([]byte("no newline"), uint8(3))
	f.Add([]byte("\n\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, repeat uint8) {
		text = bytes.Repeat(text, int(repeat)+1)
		first := newFirstLine()
		first.drain(bytes.NewReader(text), func(line Line) { clean(t, line.Message) })
		got, err := io.ReadAll(first.reader())
		if err != nil {
			t.Fatal(err)
		}
		want, _, _ := bytes.Cut(text, []byte("\n"))
		want = bytes.TrimRight(want, "\r")
		if want = want[:min(len(want), maxHandshake)]; len(text) > 0 && !bytes.Equal(got, append(bytes.Clone(want), '\n')) {
			t.Errorf("handshake %.50q, want %.50q", got, want)
		}
		_, _ = NewLog(func(line Line) { clean(t, line.Message) }).Write(text)
	})
}

func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	for _, size := range []int{maxLine - 1, maxLine, 3*maxLine + 7} {
		var got []Line
		text := strings.Repeat("x", size) + "\nnext\n"
		readLog(strings.NewReader(text), func(l Line) { got = append(got, l) })
		if len(got) != 2 || got[1].Message != "next" {
			t.Fatalf("%d bytes: %d lines", size, len(got))
		}
		if cut := strings.HasSuffix(got[0].Message, "(cut at 65536 bytes)"); cut != (size >= maxLine) {
			t.Errorf("%d bytes: cut %v", size, cut)
		}
	}
}

func TestRateIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []Line
		l := newLog(func(line Line) { got = append(got, line) })
		for range 3000 {
			l.add([]byte("x"), false)
		}
		if len(got) != 1000+20 {
			t.Errorf("%d of 3000 lines in one second", len(got))
		}
		time.Sleep(time.Second)
		l.add([]byte("y"), false)
		if want := "1980 log lines dropped: over 1000 a second"; len(got) != 1022 || got[1020].Message != want {
			t.Errorf("%d lines, then %q", len(got), got[len(got)-1].Message)
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	t.Parallel()
	var got []Line
	readLog(strings.NewReader("fine\npanic: no\n\ngoroutine 1 [running]:\n"), func(l Line) { got = append(got, l) })
	if len(got) != 3 || got[0].Level != Info || got[1].Level != Error || got[2].Level != Error {
		t.Errorf("%+v", got)
	}
}

func TestLogWriterJoinsPieces(t *testing.T) {
	t.Parallel()
	var got []string
	w := NewLog(func(l Line) { got = append(got, l.Message) })
	for _, piece := range []string{"a", "b\nc", "\n\nd", "\n" + strings.Repeat("x", 2*maxLine)} {
		if n, err := io.WriteString(w, piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(got) != 4 || got[0] != "ab" || got[1] != "c" || got[2] != "d" || len(got[3]) > maxLine+50 {
		t.Errorf("%d lines %.20q", len(got), got)
	}
}
