// SPDX-License-Identifier: Apache-2.0
//
// Messages as bytes and back: the one door to Protobuf, and the only validator of what a peer says.
// Past `decode`, a Message is within every limit of limits.hpp: names are names, digests 32 bytes,
// numbers in range, doubles finite, texts UTF-8.
//
// Pure functions; any thread. The bytes are not canonical: nothing is signed or hashed over them.
#pragma once

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"
#include "protocol/messages.hpp"

namespace entente::protocol {

// At most control_max_bytes. Texts for people (reason, problem) are cut to text_max_bytes and made
// UTF-8; a Status that is too large loses its oldest rounds. Errors: invalid_argument - anything
// that decode would refuse, in its words.
Result<Bytes> encode(const Message& message);

// Errors: malformed - not one message of ours, or a value outside of its limits: the text names the
// message and the field, what was expected and what was seen. Fields that we do not know are passed
// over.
Result<Message> decode(ByteView bytes);

}  // namespace entente::protocol
