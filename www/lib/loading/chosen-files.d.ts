/**
 * The files of a drop or a paste, those of dropped folders among them. Call it inside the event
 * handler, before anything is awaited: afterwards the browser has forgotten what was dropped.
 */
export function droppedFiles(transfer: DataTransfer): Promise<File[]>;
