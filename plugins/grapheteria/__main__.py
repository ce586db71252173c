"""The engine, or with --worker one of its processes."""

import sys

if sys.argv[1:] == ["--worker"]:
    from grapheteria_engine.worker import main

    main()
else:
    import gateway_engine  # first: it takes the standard output
    from grapheteria_engine.engine import GrapheteriaEngine

    gateway_engine.serve(GrapheteriaEngine())
