package batch

import (
	"slices"
	"testing"
)

func TestCut(t *testing.T) {
	tests := []struct {
		name  string
		sizes []int64
		want  int
	}{
		{"one", []int64{1}, 1},
		{"all", []int64{10, 20, 30}, 3},
		{"as many as fit", []int64{40, 40, 40}, 2},
		{"up to the last byte", []int64{44, 44, 1}, 2},
		{"one byte more", []int64{44, 45, 1}, 1},
		{"a large one alone", []int64{500, 1}, 1},
		{"a large one has to wait", []int64{1, 2, 500}, 2},
		{"no more than so many", slices.Repeat([]int64{-6}, 2*MaxLen), MaxLen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Cut(len(tt.sizes), 100, func(i int) int64 { return tt.sizes[i] })
			if got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
