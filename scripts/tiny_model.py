"""Make a tiny Llama that a real server can load: random weights, a real tokenizer, no download.

Run it with the interpreter of the real server's environment (see real_env.sh):

    .venv-real/bin/python scripts/tiny_model.py FOLDER [--seed N]

What it writes is a complete Hugging Face model folder: weights (about 4 million parameters from a fixed
seed), a byte-level BPE tokenizer trained on this repository's own .py and .md files, a chat template and a
generation config. Its text is noise; everything else about it is real: it has to be loaded, it takes time per
token, it samples, it ends at a length or at its end-of-turn token. The same seed on the same checkout gives
the same folder; another seed gives another model.
"""

import argparse
import os
import sys
import time
from pathlib import Path

# Set before the imports below read them: nothing here may reach for the network.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

ROOT = Path(__file__).resolve().parent.parent
END_OF_TEXT, START_OF_TURN, END_OF_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VOCABULARY = 2048
# Korean costs three byte tokens a syllable here, so that the suite's longest prompts need this much room.
CONTEXT_TOKENS = 16384
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    f"{{{{ '{START_OF_TURN}' + message['role'] + '\\n' + message['content'] + '{END_OF_TURN}\\n' }}}}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{{{{ '{START_OF_TURN}assistant\\n' }}}}{{% endif %}}"
)


def training_texts(root: Path) -> list[str]:
    """Read the repository's own .py and .md files, in a fixed order.

    Args:
        root: the repository's root; hidden folders (environments, caches) and `data` are left out.

    Returns:
        One text per file, sorted by path, never empty since this file is among them.
    """
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")) and f not in {"data", "dist"})
        found += [Path(folder, name) for name in files if name.endswith((".py", ".md"))]
    return [path.read_text(encoding="utf-8", errors="replace") for path in sorted(found)]


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer, which can encode any text, with the chat template attached."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[END_OF_TEXT, START_OF_TURN, END_OF_TURN],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[START_OF_TURN],
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Build the Llama with the weights that `seed` draws.

    Random weights give a nearly flat distribution, so a reply is as long as max_tokens allows, but for the
    chance of one in VOCABULARY that a token is the end of the turn.
    """
    torch.manual_seed(seed)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=688,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT_TOKENS,
            tie_word_embeddings=False,  # tied, the likeliest next token would be the last one again
            bos_token_id=None,
            **ends,
        )
    )
    # `transformers serve` turns sampling off at temperature 0 but never on, whatever temperature a request
    # asks for: only the model's own generation config can.
    model.generation_config = GenerationConfig(do_sample=True, temperature=1.0, top_p=1.0, top_k=0, **ends)
    return model


def main() -> int:
    """Write the model; 0 when written, 2 for wrong use."""
    parser = argparse.ArgumentParser(description="Make a tiny Llama with random weights for a real server.")
    parser.add_argument("folder", type=Path, help="where to write it; must be empty or not there yet")
    parser.add_argument("--seed", type=int, default=20240601, help="draws the weights (default: %(default)s)")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        parser.error(f"folder: {folder} is not an empty folder; name one that is, or that is not there yet")

    started_s = time.monotonic()
    disable_progress_bar()
    tokenizer = train_tokenizer(training_texts(ROOT))
    model = build_model(tokenizer, arguments.seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size_mb = sum(path.stat().st_size for path in folder.rglob("*")) / 1e6
    sys.stdout.write(
        f"{folder}: {model.num_parameters()} parameters, vocabulary {len(tokenizer)}, {size_mb:.0f} MB,"
        f" seed {arguments.seed}, {time.monotonic() - started_s:.1f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
