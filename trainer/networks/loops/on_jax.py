"""A whole epoch as one compiled JAX function; state goes in and comes out, and is put back into Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import keras
from jax import numpy as jnp

from agent.inference.arrays import FloatArray
from trainer.networks.loops import Learning

Run = Callable[[FloatArray], float]
Values = list[jax.Array]
State = tuple[Values, Values, Values]
"""Trainable and other variables of the model, and those of the optimizer."""


def loop(model: keras.Model, optimizer: keras.optimizers.Optimizer, learning: Learning) -> tuple[Run, Run]:
    """Return what learns and what only checks; see ``Loop``."""
    magnitude = jnp.square if learning.loss == "mse" else jnp.abs

    def total_loss(
        trainable: Values, other: Values, batch: jax.Array, training: bool
    ) -> tuple[jax.Array, Values]:
        output, other, losses = model.stateless_call(
            trainable, other, batch, training=training, return_losses=True
        )
        return jnp.mean(magnitude(output - batch)) + sum(losses), other

    gradient = jax.value_and_grad(total_loss, has_aux=True)

    def step(state: State, batch: jax.Array) -> tuple[State, jax.Array]:
        trainable, other, moments = state
        (loss, other), gradients = gradient(trainable, other, batch, True)
        trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
        return (trainable, other, moments), loss

    def check_step(state: State, batch: jax.Array) -> tuple[State, jax.Array]:
        return state, total_loss(state[0], state[1], batch, False)[0]

    # JAX functions are pure: what Keras keeps in variables goes in as values, and comes back as values.
    groups: tuple[Sequence[keras.Variable], ...] = (
        model.trainable_variables,
        model.non_trainable_variables,
        optimizer.variables,
    )

    def run(epoch: Callable[[State, jax.Array], tuple[State, jax.Array]], features: FloatArray) -> float:
        trainable, other, moments = ([variable.value for variable in group] for group in groups)
        state, loss = epoch((trainable, other, moments), features)
        for group, values in zip(groups, state, strict=True):
            _assign(group, values)
        return float(loss)

    learn, check = (jax.jit(_epoch(one, learning.batch_size)) for one in (step, check_step))
    return lambda features: run(learn, features), lambda features: run(check, features)


def _epoch(
    step: Callable[[State, jax.Array], tuple[State, jax.Array]], size: int
) -> Callable[[State, jax.Array], tuple[State, jax.Array]]:
    """Return a function that takes the step with batches of one size and with what is left over."""

    def epoch(state: State, features: jax.Array) -> tuple[State, jax.Array]:
        count, rest = divmod(len(features), size)
        whole = features[: count * size].reshape(count, size, *features.shape[1:])
        state, losses = jax.lax.scan(step, state, whole)
        total = jnp.sum(losses) * size
        if rest:
            state, last = step(state, features[count * size :])
            total += last * rest
        return state, total / len(features)

    return epoch


def _assign(variables: Sequence[keras.Variable], values: Values) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
