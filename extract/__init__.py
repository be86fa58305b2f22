"""STAGE ONE: raw pair to fine-tuned networks to rows of a feature file.

Read first: `finetune_stage` and `encode_stage` (stage.py). Nothing is imported here, so that drawing a data set does
not load torch.
"""
