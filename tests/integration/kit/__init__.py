"""Tests of the fixture kit, judged by programs that know nothing of it."""
