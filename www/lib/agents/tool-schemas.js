// What agents can ask for: the one list for tools() and for `obscura mcp`, which reads this file, too. So what
// follows "export default" is JSON, and nothing comes after it.

export default [
  {
    "name": "caption",
    "title": "Describe a picture",
    "task": "caption",
    "description": "Writes one sentence in English that says what a picture shows.",
    "inputSchema": {
      "type": "object",
      "properties": {
        "path": { "type": "string", "description": "The picture's path or name." },
        "data": { "type": "string", "description": "Instead of a path: the picture file itself (PNG, JPEG, WebP, GIF, BMP), in base64." },
        "prompt": { "type": "string", "description": "First words of the sentence, which it continues." },
        "maxNewTokens": { "type": "integer", "minimum": 1, "description": "At most so many tokens, of which a word has one or two. Default 20." },
        "numBeams": { "type": "integer", "minimum": 1, "description": "So many alternatives are followed at once and the best is taken: better sentences, more time. Default 1." }
      },
      "required": [],
      "additionalProperties": false
    },
    "outputSchema": {
      "type": "object",
      "properties": {
        "text": { "type": "string", "description": "The sentence." },
        "score": { "type": "number", "description": "How likely the model finds it: the nearer to 0, the likelier." }
      },
      "required": ["text", "score"],
      "additionalProperties": false
    }
  },
  {
    "name": "answer",
    "title": "Answer a question about a picture",
    "task": "answer",
    "description": "Answers a question about what a picture shows in a word or a few, or says which of given answers are the likeliest.",
    "inputSchema": {
      "type": "object",
      "properties": {
        "path": { "type": "string", "description": "The picture's path or name." },
        "data": { "type": "string", "description": "Instead of a path: the picture file itself (PNG, JPEG, WebP, GIF, BMP), in base64." },
        "question": { "type": "string", "minLength": 1, "description": "A question in English, such as: how many dogs are there?" },
        "answers": { "type": "array", "items": { "type": "string" }, "minItems": 1, "description": "Rank these answers instead of writing one." }
      },
      "required": ["question"],
      "additionalProperties": false
    },
    "outputSchema": {
      "type": "object",
      "properties": {
        "text": { "type": "string", "description": "The answer; of given ones the likeliest." },
        "score": { "type": "number", "description": "How likely the model finds it: the nearer to 0, the likelier." },
        "answers": {
          "type": "array",
          "description": "Of given answers: all, the likeliest first.",
          "items": {
            "type": "object",
            "properties": { "text": { "type": "string" }, "score": { "type": "number" } },
            "required": ["text", "score"],
            "additionalProperties": false
          }
        }
      },
      "required": ["text", "score"],
      "additionalProperties": false
    }
  },
  {
    "name": "classify",
    "title": "Choose among labels",
    "task": "classify",
    "description": "Says which of given labels fit a picture best.",
    "inputSchema": {
      "type": "object",
      "properties": {
        "path": { "type": "string", "description": "The picture's path or name." },
        "data": { "type": "string", "description": "Instead of a path: the picture file itself (PNG, JPEG, WebP, GIF, BMP), in base64." },
        "labels": { "type": "array", "items": { "type": "string" }, "minItems": 1, "description": "The labels, such as: a cat, a dog." },
        "template": { "type": "string", "description": "A sentence with {} for the label. Default: a photo of a {}." },
        "topK": { "type": "integer", "minimum": 1, "description": "Only so many of the best. Default: all." }
      },
      "required": ["labels"],
      "additionalProperties": false
    },
    "outputSchema": {
      "type": "object",
      "properties": {
        "labels": {
          "type": "array",
          "description": "Best first.",
          "items": {
            "type": "object",
            "properties": {
              "label": { "type": "string" },
              "score": { "type": "number", "description": "0 to 1: its share among the labels; of a SigLIP its own probability." }
            },
            "required": ["label", "score"],
            "additionalProperties": false
          }
        }
      },
      "required": ["labels"],
      "additionalProperties": false
    }
  },
  {
    "name": "match",
    "title": "Judge texts about a picture",
    "task": "match",
    "description": "Says how well each of given texts describes a picture.",
    "inputSchema": {
      "type": "object",
      "properties": {
        "path": { "type": "string", "description": "The picture's path or name." },
        "data": { "type": "string", "description": "Instead of a path: the picture file itself (PNG, JPEG, WebP, GIF, BMP), in base64." },
        "texts": { "type": "array", "items": { "type": "string" }, "minItems": 1, "description": "Texts that may describe the picture." }
      },
      "required": ["texts"],
      "additionalProperties": false
    },
    "outputSchema": {
      "type": "object",
      "properties": {
        "matches": {
          "type": "array",
          "description": "In the order given.",
          "items": {
            "type": "object",
            "properties": {
              "text": { "type": "string" },
              "probability": { "anyOf": [{ "type": "number" }, { "type": "null" }], "description": "That it describes the picture, 0 to 1; null of a model that only knows similarity." },
              "similarity": { "type": "number", "description": "The cosine of the two vectors, -1 to 1." }
            },
            "required": ["text", "probability", "similarity"],
            "additionalProperties": false
          }
        }
      },
      "required": ["matches"],
      "additionalProperties": false
    }
  },
  {
    "name": "search",
    "title": "Search the album",
    "task": "embed",
    "description": "Finds the pictures of the album that a text describes, or that resemble a picture.",
    "inputSchema": {
      "type": "object",
      "properties": {
        "text": { "type": "string", "minLength": 1, "description": "What the pictures should show." },
        "path": { "type": "string", "description": "Instead of a text: the path or name of a picture that they should resemble." },
        "data": { "type": "string", "description": "Instead of a text: such a picture file itself (PNG, JPEG, WebP, GIF, BMP), in base64." },
        "limit": { "type": "integer", "minimum": 1, "maximum": 1000, "description": "Find so many. Default 20." }
      },
      "required": [],
      "additionalProperties": false
    },
    "outputSchema": {
      "type": "object",
      "properties": {
        "found": {
          "type": "array",
          "description": "Best first.",
          "items": {
            "type": "object",
            "properties": {
              "key": { "type": "string", "description": "The picture's path or name in the album." },
              "similarity": { "type": "number", "description": "The cosine of the two vectors, -1 to 1." },
              "probability": { "anyOf": [{ "type": "number" }, { "type": "null" }], "description": "That text and picture belong together, 0 to 1, where the model has looked at both together." }
            },
            "required": ["key", "similarity"],
            "additionalProperties": false
          }
        }
      },
      "required": ["found"],
      "additionalProperties": false
    }
  }
]
