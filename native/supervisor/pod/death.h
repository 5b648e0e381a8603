/* What a process under construction died of, as far as its end tells. */
#pragma once

struct container;

/* Fills in the error of a container whose process is gone and had not said why. */
void death_explain(struct container *c);
