"""Questions in Latin letters, as customers type them: each line one."""

FINGLISH = """
salam, hazine class ielts chande?
shahrie term chand tomane
gheymat ketab cheghadr ast
qeymate ketab chande?
chetor sabtenam konam
chetori mitoonam sabte nam konam?
chejuri bayad pardakht konam
chegoone ghesti bedam
sabt nam online darid?
ielts online class darin?
kelas khosoosi darin?
kelase azad baraye bachehaye 8 sale darid
adrese shobe karaj kojast
adresetun kojas?
shomare telefon shobe shargh
saat kari shoma chie
saate karie shobe markazi
jomeha baz hastin?
panjshanbe ta saat chand bazid
key mirese baste man
ersal be shahrestan chand roze mirese
hazineye ersal ba post pishtaz
mikham enseraf bedam
mishe pulamo pas begiram?
poolam ro pas midin?
enseraf az kelas che sharayeti dare
takhfif daneshjooyi darin
takhfife daneshjuyi chand darsade
aya emkan taghsit hast
ghest bandi mikonid ya na
kard be kard mitonam bekonam?
test tayin sath raygane?
azmoone taein sath che saati bargozar mishavad
madrak payan dore midahid
madrake in doreha motabare?
ostad khanoom ham darid
class haye hozoori key shoro mishe
term jadid az key shoru mishe
zarfiat kelas chand nafare
chand jalase ast har term
jalase jobrani darin?
agar nayam jalase chi mishe
vase mohajerat che doreyi khube
nomreye 7 ielts mikham che kar konam
ketab kar english starter dari?
in ketab mojude?
mojoodi darid az in ketab
code takhfif daram kojaye site bezanam
parking dare shobe vanak?
metro nazdike vanak kodome
mikhastam bedoonam kelas farda bargozar mishe
bebakhshid shomare whatsapp nadarin
lotfan list gheymat ro befrestid
mamnoon misham rahnamayi konid
man az kanada hastam mitunam sherkat konam
visa ham komak mikonin
garanti bargasht pul darin
sefareshamo mikham cancel konam
chera javab nemidid
merci, farda tatile?
vaqte shoma bekheyr, class conversation darin?
lotfan gheymate doreye fashorde ro begin
shahriye ro chand bar mitoonam pardakht konam
aghsat bedoone sood hast?
mitonam farda biam azmoon bedam
doostam ro moarefi konam takhfif migiram
kodom shobe be metro nazdiktare
che ruzayi class hast
in term key tamum mishe
class online record mishe?
filme jalasato koja bebinam
man 3 jalase nayoomadam mahroom misham?
moraje be dandanpezeshk daram mitunam gheybat konam
govahi payane doro key midan
az avanema kasi ielts 7 gerefte?
hade aghal sen baraye kelase koodak
pesaram 5 saleshe mishe bezaramesh kelas
khanoom ha joda hastan?
ostade native darid
che ketabi baraye shoroo khube
hazine post ketab ro ki mide
ketab eshtebah umad baram
pas dadane ketab
jaye park dare?
to karaj ham shobe darin
whatsapp midin?
shomare kart bedin variz konam
chek ham ghabul mikonin
fish variz ro koja beferestam
ramze panelam ro faramoosh kardam
site baz nemishe
dokmeye pardakht kar nemikone
vam danesh amuzi darin
moshaver darin harf bezanam
bad az zohr ha class dari
sobh ha che saati shoro mishe
zood javab bedid lotfan
tayin sath hozoori ya online?
natije azmoon key miad
salam khaste nabashid
""".strip().splitlines()

ENGLISH = """
How much is the IELTS course?
What are your opening hours?
opening hours
refund policy
Do you offer online classes?
Where is the Karaj branch?
branch address
contact number
Can I pay in instalments?
I want to cancel my class
How long does shipping take?
shipping cost
delivery time to Mashhad
Is there parking at the Vanak branch?
What is the tuition for German A1?
German B1 online price
student discount
Do you have a kids class?
placement test fee
When does the autumn term start?
How many sessions are there per term?
What documents do I need for registration?
Can I get a certificate at the end?
certificate verification
private lessons price
teacher hiring requirements
corporate training for my company
visa letter
How do I get a letter for the embassy?
TOEFL or IELTS, which one is better?
Can I switch to another class?
make-up session rules
I missed my class, what should I do?
gift card balance
Does the book include audio?
return an opened book
My package has not arrived yet
track my order
payment failed but money was taken
Is the mock exam free?
scholarship exam date
Who teaches the French course?
class capacity
minimum age for children
Are classes held on Friday?
holiday schedule Nowruz
is the office open on Yalda?
Can a friend named Mikham join my class?
tell me about the khatam bookshop
What does takhfif mean?
Please send me the price list
thanks, that helped
hello
hi, any news about my refund?
Which level am I?
cheapest course
group discount for five people
speaking club timetable
wifi password
how to reset my panel password
online class link does not work
zoom or skyroom?
record of sessions
dare to speak workshop
man with a van delivery
to be or not to be
are you open today
need an invoice for my company
study tips
weight of the flashcards box
night classes
high school students discount
eight sessions enough?
mic is not working
middle level course
cookie policy
movie club
Shiraz branch?
Mina Karimi class schedule
English for immigration to Canada
Does Khayyam Street have a branch?
Ghazal is my daughter, which class suits her?
Tajrish or Vanak branch?
price of a-1 course
best teacher for speaking
native teacher
is there a waiting list
can you call me back
change email address
invoice number
course catalogue pdf
beginner French evening class
how old must kids be
attendance rules
absence limit
teacher complaint
lost and found
working hours Friday
do I have to pay all at once
pay with cheque
""".strip().splitlines()
