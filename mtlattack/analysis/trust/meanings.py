"""What each flag of a record means, in short; at length in mtlattack/README.md."""

FLAG_MEANINGS: dict[str, str] = {
    "gradients-vanish": "An attack's first gradient was zero on more than 5 % of the images, or none comes through a "
    "task's prediction: the attacks may have been blind.",
    "batch-dependent": "An image is predicted otherwise alone than in a batch.",
    "random": "Two calls on the same batch differ: attacks should have averaged over draws.",
    "black-box-beats-white-box": "An attack without gradients is stronger than every attack with them: these are "
    "probably masked.",
    "noise-as-strong": "Noise reaches 90 % of the strongest attack with gradients: they are masked, or ε is too small "
    "to say anything.",
    "more-does-not-help": "The same attack is weaker with more steps, or no stronger at the next larger ε.",
    "loss-without-metric": "A task's mean loss rises by more than 10 %, but its metrics become worse by less than 2 %, "
    "if at all.",
    "no-better-than-constant": "On clean images a task is predicted hardly better than by the best constant answer: "
    "there is little to lose.",
    "logit-scale": "The logits are so small or so large that losses, and attacks that climb them, say little.",
    "wrong-unit": "Predictions and labels differ by about one factor, as if in different units.",
    "negative-depth": "Many predicted depths are negative.",
}
