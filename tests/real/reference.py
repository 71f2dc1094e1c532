"""What the model itself says to a prompt, without a server: run by .venv-real's interpreter.

Usage: reference.py MODEL_FOLDER MAX_TOKENS; messages as JSON on standard input, one JSON object comes out.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    """Count the prompt's tokens, generate greedily and count what came."""
    folder, max_tokens = sys.argv[1], int(sys.argv[2])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(
        json.load(sys.stdin), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    n_prompt = prompt["input_ids"].shape[-1]
    with torch.no_grad():
        tokens = model.generate(**prompt, max_new_tokens=max_tokens, do_sample=False)[0][n_prompt:]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    json.dump({"tokens_in": n_prompt, "tokens_out": len(tokens), "text": text}, sys.stdout)


if __name__ == "__main__":
    main()
