"""How many tokens a model's own tokenizer makes of prompts, without a server: run by .venv-real's interpreter.

Usage: count_tokens.py MODEL_FOLDER; prompts as a JSON list on standard input, a list of counts comes out.
"""

import json
import sys

from transformers import AutoTokenizer


def main() -> None:
    """Count each prompt as the one message of a user, in the chat template."""
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    chats = [[{"role": "user", "content": prompt}] for prompt in json.load(sys.stdin)]
    counted = [
        len(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"])
        for chat in chats
    ]
    json.dump(counted, sys.stdout)


if __name__ == "__main__":
    main()
