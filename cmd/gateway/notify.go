package main

import "github.com/event-gateway/gateway/cmd/gateway/process"

func (a *app) notify(state string) {
	if err := process.Notify(a.getenv("NOTIFY_SOCKET"), state); err != nil {
		a.warn(err)
	}
}
