// Bits of an operation's flags, as Python passes them: what the caller gets, what is checked, what may be repeated.
#pragma once

namespace barewire::bind {

enum OperationFlags : int {
    shape_mask = 0x0f,
    shape_nothing = 0,   // None
    shape_document = 1,  // the reply document
    shape_first = 2,     // the first document of the cursor's batch, or None
    shape_batch = 3,     // (id, documents, count, namespace, server, session, postBatchResumeToken)
    shape_counted = 4,   // (reply document, number of documents sent)
    shape_message = 5,   // bytes of the reply behind its header

    check_mask = 0xf0,
    check_nothing = 0x00,
    check_command = 0x10,          // ok
    check_concern = 0x20,          // writeConcernError, then ok
    check_write = 0x30,            // ok, then writeErrors, then writeConcernError
    check_missing_allowed = 0x40,  // as concern, but code 26 (NamespaceNotFound) passes
    check_cursor = 0x50,           // ok; find and getMore

    retry_mask = 0x300,
    retry_read = 0x100,
    retry_write = 0x200,
};

}  // namespace barewire::bind
