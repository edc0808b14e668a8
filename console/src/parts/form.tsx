/** Fields with their faults: what the service says about a field stands at that field. */
import { cloneElement, createContext, type ReactElement, type ReactNode, useContext, useId } from 'react';
import type { ApiFault } from '../api/client.ts';
import { Notice } from './basics.tsx';

interface Told {
  readonly fields: ReadonlyMap<string, string>;
}

const Faults = createContext<Told>({ fields: new Map() });

/** Hands the faults of a refusal to the fields inside; what belongs to none is said above them. */
export function FieldFaults({ fault, children }: { readonly fault: ApiFault | null; readonly children: ReactNode }) {
  const fields = fault ? faultsByField(fault) : new Map<string, string>();
  return (
    <Faults value={{ fields }}>
      {fault && (
        <Notice tone="bad" title="Not taken.">
          {fields.size > 0 ? `Look at ${fields.size === 1 ? 'the field' : 'the fields'} marked below.` : fault.message}
        </Notice>
      )}
      {children}
    </Faults>
  );
}

/** The sentence of a problem names each field by its pointer: `/name is missing; /location/lat must be …`. */
export function faultsByField({ problem, message }: ApiFault): Map<string, string> {
  const told = new Map<string, string>();
  const parts = message.replace(/\.$/, '').split('; ');
  for (const field of problem?.fields ?? []) {
    const part = parts.find((one) => one.startsWith(`${field} `));
    told.set(field, part ? `It ${part.slice(field.length + 1)}.` : message);
  }
  return told;
}

interface FieldProps {
  /** The JSON Pointer of the member it stands for. */
  readonly name: string;
  readonly label: string;
  readonly hint?: ReactNode;
  readonly children: ReactElement<Record<string, unknown>>;
}

export function Field({ name, label, hint, children }: FieldProps) {
  const id = useId();
  const { fields } = useContext(Faults);
  const fault = fields.get(name);
  const described = [hint === undefined ? null : `${id}-hint`, fault === undefined ? null : `${id}-fault`]
    .filter((part) => part !== null)
    .join(' ');
  return (
    <div className={fault === undefined ? 'field' : 'field wrong'}>
      <label htmlFor={id}>{label}</label>
      {cloneElement(children, { id, 'aria-invalid': fault !== undefined, ...(described !== '' && { 'aria-describedby': described }) })}
      {fault !== undefined && (
        <p id={`${id}-fault`} className="field-fault" role="alert">
          {fault}
        </p>
      )}
      {hint !== undefined && (
        <p id={`${id}-hint`} className="hint">
          {hint}
        </p>
      )}
    </div>
  );
}
