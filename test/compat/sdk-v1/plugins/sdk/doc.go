// Package sdk is all that the author of a workflow engine imports: it serves
// one Go value to the gateway. Delivery is at least once: the same run may be
// started again after a crash of either side, always with the same
// [Request.Key], so an engine that must not do a thing twice remembers the
// keys that it has done, or hands the key on to whatever does the thing.
//
// The smallest engine is a function:
//
//	func main() {
//		sdk.Serve(sdk.Func(func(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
//			return sdk.Result{Output: "hello " + r.Workflow}, nil
//		}))
//	}
//
// The gateway starts the program, asks it about its workflows, and calls Run
// for every delivery; many runs go on at once, but never two with the same
// key in one process. What Run returns ends the attempt: a nil error is
// success; any other error is tried again, unless it is [Permanent]; an error
// made by [RetryAfter] is tried again not before its time. A panic fails its
// own run (retryable) and no other.
//
// The context of a run ends when the gateway cancels the run, when its
// deadline passes (which stands still while the run waits for an answer) and
// when the gateway goes away; [context.Cause] tells which. An engine that is
// a [Getter] keeps its runs when only the connection is lost: the gateway
// connects again and asks Get.
//
// More powers are more methods: [Describer], [Configurer], [Checker],
// [Getter], [Answerer].
//
// Whatever an engine prints, and what it logs with [Logger], goes to the
// gateway's log.
package sdk
