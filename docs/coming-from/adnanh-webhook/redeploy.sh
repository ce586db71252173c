#!/bin/sh
# As it was: COMMIT and PUSHER are its arguments.
echo "redeployed $1 for $2"
