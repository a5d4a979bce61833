"""Gives the scores back as they came."""


def masked(scores):
    return scores
