/** The names behind the simulated network: invented shops in real Vietnamese cities, invented brands and their spots. */
export const CITIES = [
  { city: 'Hà Nội', region: 'Hà Nội', lat: 21.0278, lng: 105.8342 },
  { city: 'Hải Phòng', region: 'Hải Phòng', lat: 20.8449, lng: 106.6881 },
  { city: 'Hạ Long', region: 'Quảng Ninh', lat: 20.9517, lng: 107.0748 },
  { city: 'Vinh', region: 'Nghệ An', lat: 18.6796, lng: 105.6813 },
  { city: 'Huế', region: 'Huế', lat: 16.4637, lng: 107.5909 },
  { city: 'Đà Nẵng', region: 'Đà Nẵng', lat: 16.0544, lng: 108.2022 },
  { city: 'Nha Trang', region: 'Khánh Hòa', lat: 12.2388, lng: 109.1967 },
  { city: 'Đà Lạt', region: 'Lâm Đồng', lat: 11.9404, lng: 108.4583 },
  { city: 'Biên Hòa', region: 'Đồng Nai', lat: 10.9574, lng: 106.8427 },
  { city: 'Hồ Chí Minh', region: 'Hồ Chí Minh', lat: 10.7769, lng: 106.7009 },
  { city: 'Cần Thơ', region: 'Cần Thơ', lat: 10.0452, lng: 105.7469 },
] as const;

/** Who owns stores and screens. */
export const SUPPLIERS = ['Chợ Mới Mart', 'Sông Hồng Retail', 'Sen Vàng Stores', 'An Phú Express'] as const;

/** Who pays, for which campaigns, with which spots (seconds). */
export const ADVERTISERS = [
  {
    advertiser: 'Trà Xanh 99',
    campaigns: [
      { name: 'Trà Xanh 99: mùa hè', spots: [15, 6] },
      { name: 'Trà Xanh 99: Tết', spots: [30] },
    ],
  },
  { advertiser: 'Sữa Ba Vì Moon', campaigns: [{ name: 'Sữa Ba Vì Moon: buổi sáng', spots: [10, 20] }] },
  { advertiser: 'Bột Giặt Nắng', campaigns: [{ name: 'Bột Giặt Nắng: mua 2 tặng 1', spots: [15] }] },
  { advertiser: 'Cà Phê Dốc', campaigns: [{ name: 'Cà Phê Dốc: hòa tan mới', spots: [12.5, 8] }] },
  { advertiser: 'Mì Làng', campaigns: [{ name: 'Mì Làng: nấu trong 3 phút', spots: [15] }] },
] as const;

/** Registered only while the run is under way: its first plays are refused for now, and get in later. */
export const LATE_CAMPAIGN = { advertiser: 'Nước Khoáng Suối Lạnh', name: 'Suối Lạnh: ra mắt', spots: [10] } as const;
