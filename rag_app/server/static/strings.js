// All that the page says by itself, and how it writes numbers.

const plain = new Intl.NumberFormat("fa-IR", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("fa-IR", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const share = new Intl.NumberFormat("fa-IR", { style: "percent" });
const short = new Intl.NumberFormat("fa-IR", { maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat("fa-IR", { dateStyle: "medium" });

export const count = (value) => plain.format(value);
export const score = (value) => (value == null ? "" : fine.format(value));
export const decimal = (value) => short.format(value);
export const percent = (value) => share.format(value);
export const millis = (value) => `${value < 10 ? short.format(value) : plain.format(value)} میلی‌ثانیه`;
export const date = (value) => (value ? day.format(new Date(value)) : "");

/** The word for a name of the API, or the name itself. */
export const named = (table, name) => table[name] ?? name;

export const stages = {
  flags: "پرچم‌ها",
  query_analysis: "تحلیل پرسش",
  retrieval: "بازیابی",
  rerank: "بازرتبه‌بندی",
  context: "بودجه و متن",
  fallback: "جایگزین",
};

export const languages = {
  fa: "فارسی",
  en: "انگلیسی",
  finglish: "فینگلیش",
  mixed: "آمیخته",
  unknown: "نامشخص",
};

export const complexities = { simple: "ساده", moderate: "میانه", complex: "پیچیده" };

export const intents = {
  price: "قیمت",
  shipping: "ارسال",
  refund: "انصراف و بازپرداخت",
  schedule: "زمان",
  registration: "ثبت‌نام",
  contact: "تماس",
  general: "عمومی",
};

export const rerankers = {
  lexical: "واژگانی",
  cross_encoder: "کراس‌انکودر",
  "fused order": "همان ترتیب ادغام",
};

export const writers = {
  extractive: "نقل از اسناد، بی مدل زبانی",
  google_genai: "Gemini",
  gemini: "Gemini",
  openai_like: "مدل زبانی",
};

export const outcomes = {
  blocked: "مدل زبانی به این پرسش پاسخ نداد (پالایهٔ ایمنی).",
  "empty answer": "مدل زبانی پاسخی نداد.",
  "cut off": "پاسخ مدل زبانی نیمه‌کاره ماند.",
  quota: "سهمیهٔ مدل زبانی تمام شده است.",
  "time-out": "مدل زبانی به‌موقع پاسخ نداد.",
  unavailable: "مدل زبانی در دسترس نیست.",
  "refused key": "سرویس مدل زبانی کلید را نپذیرفت.",
  "bad request": "سرویس مدل زبانی درخواست را نپذیرفت.",
};

const reasons = [
  [/^below the best (\d+) of the fused list$/, (n) => `بیرون از ${count(n)} تای اول ادغام`],
  [/^below the best (\d+)$/, (n) => `بیرون از ${count(n)} تای برتر`],
  [/^does not fit the budget of (\d+) tokens$/, (n) => `جا نشدن در بودجهٔ ${count(n)} توکن`],
  [/^in the same parent as (\w+)$/, () => "در همان بخش سند که تکهٔ بهتری دارد"],
  [/^says the same as (\w+)$/, () => "تکرار گفتهٔ تکه‌ای بهتر"],
  [/^(\d+) words?$/, (n) => `${count(n)} واژه`],
  [/^configured$/, () => "طبق تنظیمات"],
  [/^no phrase matches$/, () => "عبارتی نشان نداد"],
  [/^the flag cross_encoder_reranking is off$/, () => "پرچم کراس‌انکودر خاموش است"],
];

/** A reason of the trace in Persian where it is a known one, else as it is. */
export function reason(text) {
  for (const [pattern, say] of reasons) {
    const found = pattern.exec(text);
    if (found) return say(found[1]);
  }
  return text;
}

/** What an error of the API means to the person who asked. */
export function failure(error) {
  const said = error.message ? ` (\u2068${error.message}\u2069)` : ""; // isolated: it is English
  if (error.status === 0) return "به سرور دسترسی نیست. پیوند شبکه را ببینید و دوباره بکوشید.";
  if (error.status === 401 || error.status === 403) return "این کلید پذیرفته نشد.";
  if (error.status === 413) return `حجم بیش از اندازه است.${said}`;
  if (error.status === 429) return "سرور اکنون شلوغ است.";
  if (error.status === 503) return `سرور هنوز آماده نیست.${said}`;
  if (error.status >= 500) return `سرور با خطا روبه‌رو شد.${said}`;
  return `درخواست پذیرفته نشد.${said}`;
}
