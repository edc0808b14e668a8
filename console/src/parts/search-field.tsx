import { useEffect, useId, useState } from 'react';

const WAIT_MS = 250;

/** Tells what is searched for once the typing pauses. */
export function SearchField({
  label,
  value,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  const id = useId();
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onChange(text), WAIT_MS);
    return () => clearTimeout(timer);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- told of what was typed, not of a new function
  }, [text]);
  return (
    <div className="search-field">
      <label htmlFor={id}>{label}</label>
      <input id={id} type="search" value={text} maxLength={200} onChange={({ target }) => setText(target.value)} />
    </div>
  );
}
