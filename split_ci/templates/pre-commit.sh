#!/bin/sh
# Proves every pending spec before it is committed. Written by `split-ci init --hook git`.
exec split-ci check --staged
