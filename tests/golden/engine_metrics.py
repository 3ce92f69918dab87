#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Makes engine_metrics.json: figures of predictions as scikit-learn computes them (Debian's python3-sklearn). Inputs are drawn
# from the generator that engine_curves.py states, with seed 21, and not stored:
#
#     labels         200 of 5 classes (the last one is drawn and then taken as the first: no row has it)
#     probabilities  of each row, 1/4096ths: 1 + 5 * below(140) + c for each class c, and the rest to class below(5)
#     scores         200 of below(32) / 32: many are equal; their labels below(2)
#     predictions    200 unit, targets 200 unit
#
#     python3 tests/golden/engine_metrics.py > tests/golden/engine_metrics.json
import json
import math

import sklearn
from sklearn import metrics

ROWS, CLASSES = 200, 5


class Generator:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state

    def unit(self):
        return (self.next() >> 40) / 2**23 - 1

    def below(self, bound):
        return (self.next() >> 33) % bound


def probabilities_of(random):
    parts = [1 + CLASSES * random.below(140) + c for c in range(CLASSES)]
    parts[random.below(CLASSES)] += 4096 - sum(parts)
    return [part / 4096 for part in parts]


def main():
    random = Generator(21)
    labels = [random.below(CLASSES) % (CLASSES - 1) for _ in range(ROWS)]
    probabilities = [probabilities_of(random) for _ in range(ROWS)]
    assert all(len(set(row)) == CLASSES for row in probabilities), "equal probabilities: libraries order them differently"
    scores = [random.below(32) / 32 for _ in range(ROWS)]
    positive = [random.below(2) for _ in range(ROWS)]
    predictions = [random.unit() for _ in range(ROWS)]
    targets = [random.unit() for _ in range(ROWS)]
    predicted = [row.index(max(row)) for row in probabilities]
    classes = list(range(CLASSES))
    of_each = dict(labels=classes, average=None, zero_division=0)
    of_all = dict(average="macro", zero_division=0)
    loss = metrics.log_loss(labels, probabilities, labels=classes)
    squared = metrics.mean_squared_error(targets, predictions)
    print(json.dumps({
        "sklearn": sklearn.__version__,
        "accuracy": metrics.accuracy_score(labels, predicted),
        "top 2": metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=classes),
        "log-loss": loss,
        "perplexity": math.exp(loss),
        "confusion": metrics.confusion_matrix(labels, predicted, labels=classes).flatten().tolist(),
        "precision": metrics.precision_score(labels, predicted, **of_each).tolist(),
        "recall": metrics.recall_score(labels, predicted, **of_each).tolist(),
        "f1": metrics.f1_score(labels, predicted, **of_each).tolist(),
        "macro": [score(labels, predicted, **of_all)
                  for score in (metrics.precision_score, metrics.recall_score, metrics.f1_score)],
        "roc auc": metrics.roc_auc_score(positive, scores),
        "average precision": metrics.average_precision_score(positive, scores),
        "rmse": squared ** 0.5,
        "mae": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions)}))


main()
