"""mtlattack: how badly can a multi-task vision model be hurt?"""
